"""The reference count: keep an object beyond the read section in which it was found."""

from __future__ import annotations

import threading
from collections.abc import Callable

from guestmap.base import StateError
from guestmap.rcu.domain import Rcu


class RefCounted:
    """A count of users, and what to do after the last one.

    A read section keeps what is found in it for as long as the section lasts. Who needs it for
    longer takes a reference inside the section::

        with rcu.read_section():
            block = cell.read()
            if not block.users.try_get():
                return None             # found in the moment of its end
        ...                             # use it, as long as it takes
        block.users.put()

    The count begins at one: the reference of the data structure that publishes the object. The
    updater takes the object out of the structure and then puts that reference. Whoever puts
    the last one does not destroy the object: a reader may have found it and not have come to its
    ``try_get`` yet. The destruction is deferred with :meth:`Rcu.call` until such readers have
    left, and their ``try_get`` fails meanwhile, because a count that was zero stays zero.
    """

    __slots__ = ("_count", "_destroy", "_lock", "_rcu")

    def __init__(self, rcu: Rcu, destroy: Callable[[], object]) -> None:
        self._rcu = rcu
        self._destroy = destroy
        self._lock = threading.Lock()
        self._count = 1

    @property
    def count(self) -> int:
        """How many references there are; zero says that the destruction is under way or over."""
        return self._count

    def try_get(self) -> bool:
        """Take a reference if there is still one, and return whether that was so."""
        with self._lock:
            if self._count == 0:
                return False
            self._count += 1
            return True

    def get(self) -> None:
        """Take another reference, for a caller that has one.

        Raises:
            StateError: there is none left, so the caller had none.
        """
        if not self.try_get():
            raise StateError(
                f"a reference is taken after the last was put ({self._destroy!r} is deferred): "
                "find the object in a read section and use try_get()"
            )

    def put(self) -> None:
        """Give a reference back; the last one defers the destruction.

        Raises:
            StateError: more references are put than were taken, or the domain is closed.
        """
        with self._lock:
            if self._count == 0:
                raise StateError(f"a reference is put that nobody holds ({self._destroy!r})")
            self._count -= 1
            last = self._count == 0
        if last:
            self._rcu.call(self._destroy)
