"""Where a dot of a guest's screen is: RAM block, offset, and the guest addresses that show it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

from guestmap.hw.vga.dots import dot_at
from guestmap.hw.vga.planes import WINDOW_BASE, window_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.hw.vga.adapter import DisplayAdapter
    from guestmap.hw.vga.dots import DotBytes
    from guestmap.machine.board import Board


class ScreenPlace(NamedTuple):
    """Where a dot is.

    Attributes:
        block: the RAM block's name.
        dot: its bytes in there.
        addresses: where a CPU reaches the first of them, each with the name of the region that
            answers: memory itself, or a window of registers in front of it.
    """

    block: str
    dot: DotBytes
    addresses: tuple[tuple[int, str], ...]


class ScreenPlaces:
    """Where the dots of a screen are, as it was when this was made; the machine may go on, or go.

    Args:
        board: the machine, which is the caller's alone.
        adapter: its display adapter.
    """

    def __init__(self, board: Board, adapter: DisplayAdapter[Any]) -> None:
        block = adapter.vram.ram_block
        assert block is not None
        self._block, self._vram = block.name, adapter.vram
        self._size = len(adapter.memory)
        self._state = deepcopy(adapter.state)
        self._view = board.memory.view

    def at(self, x: int, y: int) -> ScreenPlace | None:
        """Return where a dot is, counted from the upper left corner; None where there is none."""
        dot = dot_at(self._state, self._size, x, y)
        if dot is None:
            return None
        return ScreenPlace(self._block, dot, tuple(self._addresses(dot.offset)))

    def _addresses(self, offset: int) -> Iterator[tuple[int, str]]:
        """Yield what shows a byte, lowest address first."""
        through = window_address(self._state, offset)
        window = -1 if through is None else WINDOW_BASE + through
        for each in self._view:
            address = each.start + offset - each.offset_in_region
            if each.region is self._vram and each.start <= address < each.end:
                yield address, each.region.name
            elif each.start <= window < each.end and not each.region.ram:
                yield window, each.region.name
