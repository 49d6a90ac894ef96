"""Waiting until a guest's screen may show something else; a screen that stands still costs nothing.

What devices write into video memory is told as dirty logs are told it, and so are writes of the
adapter's registers: whoever waits is woken. What a CPU stores there straight, no engine tells as it
happens, and Unicorn not even which pages it was. So while dots are bytes of memory, what is on the
screen is compared with what it was, some times a second, with the guest going on; and seldom in
modes in which a guest has no reason to do that.
"""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from guestmap.base import ConfigError
from guestmap.hw.vga.dots import is_stored_straight, shown_bytes
from guestmap.machine.run_state import RunState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.hw.vga.adapter import DisplayAdapter
    from guestmap.machine.vm import VirtualMachine

OFTEN_S, SELDOM_S = 0.05, 1.0
"""Between two comparisons, where a CPU may store straight, and where it hardly does."""
_SHORTEST_S = 0.04
"""From one picture to the next, at least."""


class ScreenWatch:
    """Tells whether a screen may show something else than when it was last asked.

    A context manager: outside nobody is told anything. It can be waited for with :mod:`select`.

    Args:
        vm: the machine.

    Raises:
        ConfigError: it has no display adapter.
    """

    def __init__(self, vm: VirtualMachine) -> None:
        adapter = vm.board.display
        if adapter is None:
            raise ConfigError("there is no screen to watch: the machine has no display adapter")
        self._vm = vm
        self._adapter: DisplayAdapter[Any] = adapter
        self._is_told = False
        self._seen = b""
        self._soonest_s = 0.0

    def __enter__(self) -> Self:
        assert self._adapter.vram.ram_block is not None
        self._block = self._adapter.vram.ram_block
        self._told = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._block.add_watcher(self._written)
        self._adapter.on_touch = self._touched
        self._touched()
        return self

    def __exit__(self, *_error: object) -> None:
        self._adapter.on_touch = _nobody
        self._block.remove_watcher(self._written)
        os.close(self._told)

    def fileno(self) -> int:
        """Return what is readable once something was told."""
        return self._told

    def wait(self, others: Sequence[int], *, looks: bool = True) -> tuple[list[int], bool]:
        """Wait until a file can be read, or the screen may show something else: 25 times a second.

        Args:
            others: the files.
            looks: wait for the screen, too; else nothing of it is asked.

        Returns:
            Which files can be read, and whether it is time for a picture.
        """
        left_s = self._soonest_s - time.monotonic()
        if not looks or left_s > 0:
            return select.select(others, [], [], left_s if looks else None)[0], False
        ready = select.select([*others, self._told], [], [], self.look_again_s)[0]
        is_time = self.changed()
        if is_time:
            self._soonest_s = time.monotonic() + _SHORTEST_S
        return [each for each in ready if each != self._told], is_time

    @property
    def look_again_s(self) -> float:
        """After how long to ask :meth:`changed` where nothing is told."""
        runs = self._vm.state is RunState.RUNNING
        return OFTEN_S if runs and is_stored_straight(self._adapter.state) else SELDOM_S

    def changed(self) -> bool:
        """Tell whether the screen may show something else; ask before a picture is taken."""
        told = False
        with suppress(BlockingIOError):
            told = os.eventfd_read(self._told) > 0
        self._is_told = False  # what was told since is in the picture that is taken next
        memory = self._adapter.memory
        first, size = shown_bytes(self._adapter.state, len(memory))
        seen, self._seen = self._seen, bytes(memory[first : first + size])
        return told or seen != self._seen

    def _written(self, _offset: int, _length: int) -> None:
        self._touched()

    def _touched(self) -> None:
        if not self._is_told:
            self._is_told = True
            os.eventfd_write(self._told, 1)


def _nobody() -> None:
    """Be told for nobody."""
