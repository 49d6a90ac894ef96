"""Values by address that know their order.

It is as much of :class:`sortedcontainers.SortedDict` as a map of some hundred pieces needs: that
library, with what it imports, takes more than 2 ms of each start.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Generic, TypeVar

V = TypeVar("V")


class AddressMap(Generic[V]):
    """Values by address; methods are named, and do, as those of ``SortedDict``."""

    __slots__ = ("_addresses", "_values")

    def __init__(self) -> None:
        self._addresses: list[int] = []
        self._values: dict[int, V] = {}

    def __len__(self) -> int:
        return len(self._addresses)

    def __getitem__(self, address: int) -> V:
        return self._values[address]

    def __setitem__(self, address: int, value: V) -> None:
        if address not in self._values:
            insort(self._addresses, address)
        self._values[address] = value

    def __delitem__(self, address: int) -> None:
        del self._values[address]
        del self._addresses[bisect_left(self._addresses, address)]

    def pop(self, address: int, default: V | None = None) -> V | None:
        """Take a value out and return it; the default where there is none."""
        value = self._values.get(address)
        if value is None:
            return default
        del self[address]
        return value

    def clear(self) -> None:
        """Take all values out."""
        self._addresses.clear()
        self._values.clear()

    def values(self) -> list[V]:
        """Return the values, that of the lowest address first."""
        return [self._values[address] for address in self._addresses]

    def bisect_right(self, address: int) -> int:
        """Return how many are at an address or below it."""
        return bisect_right(self._addresses, address)

    def peekitem(self, index: int) -> tuple[int, V]:
        """Return the address and the value at a place in the order."""
        address = self._addresses[index]
        return address, self._values[address]

    def irange(
        self, low: int, high: int, inclusive: tuple[bool, bool] = (True, True)
    ) -> Iterator[int]:
        """Return the addresses between two, the lowest first; each bound counts or does not."""
        order = self._addresses
        first = bisect_left(order, low) if inclusive[0] else bisect_right(order, low)
        last = bisect_right(order, high) if inclusive[1] else bisect_left(order, high)
        return iter(order[first:last])
