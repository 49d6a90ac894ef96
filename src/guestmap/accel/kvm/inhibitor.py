"""Keeps vCPUs out of the guest while its memory slots are between two states.

Entering costs two assignments: whoever enters says so first and looks for a shut door then, whoever
shuts it does both the other way round, so that one of the two sees the other.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_REPEAT_S = 0.001


class Inhibitor:
    """What all vCPUs of a VM go through on their way into the guest.

    Attributes:
        shut: how many keep it shut.
        changed: told when a vCPU leaves while it is shut, and when it opens.
    """

    def __init__(self) -> None:
        self.shut = 0
        self.changed = threading.Condition()
        self._doors: list[Door] = []

    def door(self, leave: Callable[[], None]) -> Door:
        """Return a new vCPU's door; ``leave`` makes the vCPU come out, from any thread."""
        door = Door(self, leave)
        self._doors.append(door)
        return door

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No vCPU is in the guest for the length of a ``with``; the calling thread's is not."""
        with self.changed:
            self.shut += 1
            while inside := [each for each in self._doors if each.inside]:
                for each in inside:
                    each.leave()
                self.changed.wait(_REPEAT_S)  # one that was just going in may have missed it
        try:
            yield
        finally:
            with self.changed:
                self.shut -= 1
                self.changed.notify_all()


class Door:
    """One vCPU's way in and out.

    Attributes:
        inside: whether it is in the guest, or about to be.
        leave: makes it come out.
    """

    __slots__ = ("_inhibitor", "inside", "leave")

    def __init__(self, inhibitor: Inhibitor, leave: Callable[[], None]) -> None:
        self._inhibitor = inhibitor
        self.leave = leave
        self.inside = False

    def enter(self) -> None:
        """Go in; wait while it is shut."""
        self.inside = True
        while self._inhibitor.shut:
            self.left()
            with self._inhibitor.changed:
                while self._inhibitor.shut:
                    self._inhibitor.changed.wait()
            self.inside = True

    def left(self) -> None:
        """Be out."""
        self.inside = False
        if self._inhibitor.shut:
            with self._inhibitor.changed:
                self._inhibitor.changed.notify_all()
