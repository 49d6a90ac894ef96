"""The stacks that a CPU uses, told apart by where its stack pointer is.

A stack pointer that moves by less than a frame stays on its stack, unless it was on another one
there before; one that moves further has hopped. A stack that was left below where it began is come
back to; one that was left above that has ended, and the next to come there begins anew.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from guestmap.accel.following import FRAME
from guestmap.machine.flow.records import Stack, StackKind

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST = 1000
"""Stacks that are told apart: an operating system has more, and they are not the firmware's."""
_SLACK = 64
"""Bytes: how far from all that was seen of a stack one still is on it: what is pushed just before a
hop is seen by nobody."""


class Stacks:
    """All stacks of one CPU.

    Args:
        place: tells where in the map an address is.

    Attributes:
        known: those that are told apart, in the order of their first use.
        current: the one in use; None before the first.
    """

    def __init__(self, place: Callable[[int], str]) -> None:
        self._place = place
        self.known: list[Stack] = []
        self.current: Stack | None = None

    def moved(self, low: int, high: int) -> None:
        """Take note of where the pointer was on the present stack."""
        if self.current is not None:
            self.current.low = min(self.current.low, low)
            self.current.high = max(self.current.high, high)

    def at(self, pointer: int) -> Stack | None:
        """Return the stack that was seen at that pointer before; None for none."""
        here = [each for each in self.known if each.low - _SLACK <= pointer <= each.high + _SLACK]
        return min(here, key=lambda each: abs(each.pointer - pointer), default=None)

    def stays(self, before: int, pointer: int) -> bool:
        """Tell whether a pointer that has moved is on the present stack still."""
        found = self.at(pointer)
        return found is self.current or (found is None and abs(pointer - before) < FRAME)

    def leave(self, pointer: int, now_ns: int) -> bool:
        """Leave the present stack at a pointer; return whether that ends it."""
        left, self.current = self.current, None
        if left is None:
            return False
        left.pointer, left.left_ns = pointer, now_ns
        return pointer > left.start

    def enter(self, pointer: int, kind: StackKind, cause: str, now_ns: int) -> bool | None:
        """Go on with the stack at a pointer; return whether it begins, None if it is too many."""
        found = self.at(pointer)
        begins = found is None or found.pointer > found.start
        if found is None:
            if len(self.known) == _MOST:
                return None
            found = Stack(len(self.known), kind, self._place(pointer), pointer, pointer, now_ns)
            self.known.append(found)
        elif begins:
            found.lives += 1
        if begins:
            found.start = pointer
        found.hops += 1
        found.causes += Counter([cause] if cause else [])
        self.current = found
        self.moved(pointer, pointer)
        return begins
