"""Code that was translated from memory which somebody has written since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel.unicorn.pieces import PAGE, Piece, overlapping
from guestmap.base.addrrange import merged

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.base.address_map import AddressMap
    from guestmap.memory.ram import RamBlock

MAX_STALE = 1024
"""Ranges of stale code to remember one by one, until the CPU lets them be dropped."""


MAX_PAGES = 256
"""Pages to look at one by one: of more it is quicker to drop what was translated from them."""


class StaleCode:
    """What is to be dropped: guest-physical ranges, in ``ranges``.

    Args:
        mapped: what is mapped as memory, by address.

    Attributes:
        may_have_code: tells of a physical page, by its number, whether code can come from it.
        cpu_waits: tells whether the CPU waits for what is called, and so translates nothing that
            is not known yet.
    """

    def __init__(self, mapped: AddressMap[Piece]) -> None:
        self._mapped = mapped
        self.ranges: list[tuple[int, int]] = []
        self.may_have_code: Callable[[int], bool] = lambda _page: True
        self.cpu_waits: Callable[[], bool] = lambda: False
        # How addresses of a block are moved, from where to where: of the blocks written last.
        self._pieces: dict[RamBlock, list[tuple[int, int, int]]] = {}

    def remapped(self) -> None:
        """Hear that what is mapped is about to change."""
        self._pieces.clear()

    def is_data(self, block: RamBlock, offset: int, length: int) -> bool:
        """Tell, in a moment, of a write to a device's own memory that no code comes from it.

        False means nothing. It may be asked by any thread.
        """
        pieces = self._pieces.get(block)
        if pieces is None or len(pieces) != 1 or not self.cpu_waits():
            return False
        shift, first, after = pieces[0]
        start = offset + shift
        end = start + length
        page = start // PAGE
        if start < first or end > after or self.may_have_code(page):
            return False
        return (end - 1) // PAGE == page or not self._may_have_code(start, end)

    def written(self, block: RamBlock, offset: int, length: int) -> bool:
        """Note a write by somebody who is not the CPU; return whether it shows anywhere."""
        places = self._places(block, offset, length)
        if places and self.cpu_waits():
            places = [place for place in places if self._may_have_code(*place)]
        if not places:
            return False
        self.ranges += places
        self._bound()
        return True

    def written_by_guest(self, address: int, length: int) -> bool:
        """Note a write by the CPU, which knows of the address that it wrote to and of no other.

        Returns:
            Whether code may be stale.
        """
        before = len(self.ranges)
        for piece in list(overlapping(self._mapped, address, address + length)):
            start, end = max(address, piece.start), min(address + length, piece.end)
            places = self._places(piece.block, start - piece.start + piece.offset, end - start)
            self.ranges += [
                place for place in places
                if place[0] != start and self.may_have_code(place[0] // PAGE)
            ]  # fmt: skip
        found = len(self.ranges) > before
        self._bound()
        return found

    def whole_page(self, page: int) -> None:
        """Note that nothing of what was translated from a page is wanted any more."""
        self.ranges.append((page * PAGE, (page + 1) * PAGE))

    def _places(self, block: RamBlock, offset: int, length: int) -> list[tuple[int, int]]:
        """Return the addresses at which a part of a block shows."""
        pieces = self._pieces.get(block)
        if pieces is None:
            pieces = [
                (piece.start - piece.offset, piece.start, piece.end)
                for piece in self._mapped.values()
                if piece.block is block
            ]
            self._pieces[block] = pieces
        places = []
        for shift, first, after in pieces:
            start, end = max(first, offset + shift), min(after, offset + length + shift)
            if start < end:
                places.append((start, end))
        return places

    def _may_have_code(self, start: int, end: int) -> bool:
        """Tell whether code can come from any of the pages between two addresses."""
        page, last = start // PAGE, (end - 1) // PAGE
        if page == last:  # nearly always
            return self.may_have_code(page)
        return last - page >= MAX_PAGES or any(map(self.may_have_code, range(page, last + 1)))

    def _bound(self) -> None:
        if len(self.ranges) > MAX_STALE:
            self.ranges = merged(self.ranges)
            if len(self.ranges) > MAX_STALE // 2:
                self.ranges = [(self.ranges[0][0], self.ranges[-1][1])]
