"""A sorted list that stays quick when it is long: kept in pages."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

PAGE = 512
"""Members that a page holds before it becomes two. Inserting moves all that come behind."""


class PagedList(Generic[T]):
    """Members by a number of their own, lowest first. One page is as quick as a plain list.

    Attributes:
        first, last: the numbers of the first and the last member; -1 where there is none.
    """

    __slots__ = ("_firsts", "_pages", "first", "last")

    def __init__(self) -> None:
        self.first = self.last = -1
        self._firsts: list[int] = []
        self._pages: list[tuple[list[int], list[T]]] = []

    def __bool__(self) -> bool:
        return bool(self._pages)

    def __iter__(self) -> Iterator[T]:
        for _, members in self._pages:
            yield from members

    def add(self, key: int, member: T) -> None:
        """Put ``member`` where its number says; no other has the same."""
        if not self._pages:
            self._firsts.append(key)
            self._pages.append(([key], [member]))
            self.first = self.last = key
            return
        at = max(bisect_right(self._firsts, key) - 1, 0)
        keys, members = self._pages[at]
        place = bisect_left(keys, key)
        keys.insert(place, key)
        members.insert(place, member)
        self._firsts[at] = keys[0]
        self.first, self.last = min(self.first, key), max(self.last, key)
        if len(keys) > PAGE:
            half = len(keys) // 2
            self._firsts.insert(at + 1, keys[half])
            self._pages.insert(at + 1, (keys[half:], members[half:]))
            del keys[half:], members[half:]

    def remove(self, key: int) -> None:
        """Take out the member with that number, which must be there."""
        at = bisect_right(self._firsts, key) - 1
        keys, members = self._pages[at]
        place = bisect_left(keys, key)
        del keys[place], members[place]
        if keys:
            self._firsts[at] = keys[0]
        else:
            del self._firsts[at], self._pages[at]
        self.first = self._firsts[0] if self._pages else -1
        self.last = self._pages[-1][0][-1] if self._pages else -1

    def between(self, low: int, high: int) -> list[T]:
        """Return the members whose numbers are in ``[low, high)``."""
        if len(self._pages) == 1:  # nearly always
            keys, members = self._pages[0]
            first = bisect_left(keys, low)
            return members[first : bisect_left(keys, high, lo=first)]
        found: list[T] = []
        at = max(bisect_right(self._firsts, low) - 1, 0)
        while at < len(self._pages) and self._firsts[at] < high:
            keys, members = self._pages[at]
            first = bisect_left(keys, low)
            found += members[first : bisect_left(keys, high, lo=first)]
            at += 1
        return found
