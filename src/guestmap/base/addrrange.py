"""Half-open address ranges; sizes go up to 2**64, so ends do too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

ADDRESS_SPACE_SIZE = 1 << 64
"""Bytes in the largest address space (QEMU's 128-bit sizes exist for this one number)."""


class AddrRange(NamedTuple):
    """The addresses ``start <= a < start + size``."""

    start: int
    size: int

    @property
    def end(self) -> int:
        """First address after the range."""
        return self.start + self.size

    @property
    def last(self) -> int:
        """Last address in the range (meaningless for an empty one)."""
        return self.start + self.size - 1

    def covers(self, address: int) -> bool:
        """Tell whether ``address`` lies in the range."""
        return self.start <= address < self.end

    def intersects(self, other: AddrRange) -> bool:
        """Tell whether the two share an address."""
        return self.start < other.end and other.start < self.end

    def intersection(self, other: AddrRange) -> AddrRange:
        """Return the shared part; size 0 where there is none."""
        start = max(self.start, other.start)
        return AddrRange(start, max(0, min(self.end, other.end) - start))

    def __str__(self) -> str:
        return f"[0x{self.start:x}, 0x{self.end:x})"


def merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the same addresses as ranges that neither overlap nor touch, lowest first.

    Each is a first address and the one behind the last.
    """
    found: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found
