"""The largest run of addresses around one address for which something stays true."""

from __future__ import annotations

from guestmap.base import ADDRESS_SPACE_SIZE


class Around:
    """A run ``start <= a < end`` around an address, cut down step by step."""

    __slots__ = ("address", "end", "start")

    def __init__(self, address: int) -> None:
        self.address = address
        self.start, self.end = 0, ADDRESS_SPACE_SIZE

    def within(self, lo: int, hi: int) -> None:
        """Cut to ``[lo, hi)``, which holds the address."""
        self.start, self.end = max(self.start, lo), min(self.end, hi)

    def outside(self, lo: int, hi: int) -> None:
        """Cut to the side of ``[lo, hi)`` that the address is on."""
        if lo >= hi:
            return
        if self.address < lo:
            self.end = min(self.end, lo)
        else:
            self.start = max(self.start, hi)
