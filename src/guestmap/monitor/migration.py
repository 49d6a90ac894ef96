"""A machine that goes to a descriptor, or comes from one: a manager's ``save`` and ``restore``.

To QEMU both are migrations (docs/devel/migration). What goes through is a saved machine as
``guestmap boot --save`` writes it: another QEMU reads it no more than this program reads QEMU's.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from guestmap.base import ConfigError, HostError, StateError, UnsupportedError

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator

    from guestmap.machine import VirtualMachine

_SCHEME = "fd:"
_CALLED = "the machine that came"
_MOST_DIGITS = 9
"""Of a descriptor's number, which is a C int and stays far below its end (``fs.nr_open``)."""


class FdMigration:
    """The last one of a machine, and the descriptors that wait for one.

    Args:
        vm: the machine.

    Attributes:
        status: QMP's ``MigrationStatus``; "" before there was any.
        milliseconds: that it took.
        is_told: whether events of it are asked for.
    """

    def __init__(self, vm: VirtualMachine) -> None:
        self._vm = vm
        self._named: dict[str, int] = {}
        self.status = ""
        self.milliseconds = 0
        self.is_told = False

    @property
    def total(self) -> int:
        """Bytes of the machine's memory."""
        return sum(each.used_length for each in self._vm.board.system.ram_blocks)

    def name(self, name: str, arrived: deque[int]) -> None:
        """Give the first descriptor of those that came a name; one that had it is closed.

        Raises:
            ConfigError: none came; QEMU's words.
        """
        if not arrived:
            raise ConfigError("No file descriptor supplied via SCM_RIGHTS")
        if name in self._named:
            self.forget(name)
        self._named[name] = arrived.popleft()

    def forget(self, name: str) -> None:
        """Close a descriptor that has a name.

        Raises:
            ConfigError: none has it; QEMU's words.
        """
        os.close(self._taken(name))

    def send(self, uri: str) -> None:
        """Write the machine, which is paused then, to a descriptor that was named.

        Raises:
            ConfigError, UnsupportedError: there is none, or it is to go elsewhere.
            HostError, StateError: it cannot be written.
        """
        from guestmap.machine.saved.save import save_to

        descriptor = self._taken(_behind(uri, "migrate"))
        with self._under_way(), _opened(descriptor, "wb") as file:
            save_to(self._vm, file)

    def receive(self, uri: str) -> None:
        """Become the machine that comes from a descriptor, by its number; it is paused then.

        Raises:
            StateError: the machine waits for none.
            ConfigError, UnsupportedError, PeerError, HostError: none that fits came.
        """
        from guestmap.machine.saved.format import SavedReader
        from guestmap.machine.saved.load import OpenedMachine, load_into

        if not self._vm.awaits_another:
            raise StateError("'-incoming' was not specified on the command line")
        number = _behind(uri, "migrate-incoming")
        if not number.isdecimal() or len(number) > _MOST_DIGITS:
            raise ConfigError(f"migrate-incoming {uri}: give fd:NUMBER")
        with self._under_way(), tempfile.TemporaryFile() as whole:  # it is read from its end
            with _opened(int(number), "rb") as file:
                shutil.copyfileobj(file, whole)
            load_into(self._vm, OpenedMachine(SavedReader(cast("BinaryIO", whole), _CALLED)))

    def _taken(self, name: str) -> int:
        if name not in self._named:
            raise ConfigError(f"File descriptor named '{name}' not found")
        return self._named.pop(name)

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        begun = time.monotonic_ns()
        self._go_on("setup")
        self._go_on("active")
        try:
            yield
        except BaseException:
            self._go_on("failed")
            raise
        finally:
            self.milliseconds = (time.monotonic_ns() - begun) // 1_000_000
        self._go_on("completed")

    def _go_on(self, status: str) -> None:
        self.status = status
        if self.is_told:
            self._vm.events.emit("MIGRATION", {"status": status})


def _behind(uri: str, command: str) -> str:
    """Return what comes behind ``fd:``."""
    if not uri.startswith(_SCHEME):
        raise UnsupportedError(
            f"{command} {uri}: a machine goes to a file of this host (fd:), and to no other host"
        )
    return uri.removeprefix(_SCHEME)


@contextmanager
def _opened(descriptor: int, mode: str) -> Iterator[BinaryIO]:
    """Have a descriptor as a file, which is closed behind it."""
    try:
        with os.fdopen(descriptor, mode) as file:
            yield cast("BinaryIO", file)
    except OSError as error:
        raise HostError(
            f"cannot {'write' if mode == 'wb' else 'read'} descriptor {descriptor}",
            errno=error.errno, call=mode, arguments=str(descriptor),
        ) from error  # fmt: skip
