"""The list that is walked without a lock while others insert and remove."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from guestmap.base import StateError
from guestmap.rcu.domain import Rcu

T = TypeVar("T")


class RcuNode(Generic[T]):
    """A place in an :class:`RcuList`; what an updater needs to insert beside or to remove.

    Attributes:
        value: the element.
        next: the following node or None. A removed node keeps it, so that a reader which stands
            on the node finds its way back into the list.
        previous: the node before, for updaters only: readers walk in one direction.
    """

    __slots__ = ("next", "owner", "previous", "value")

    def __init__(self, value: T, previous: RcuNode[T] | None, following: RcuNode[T] | None) -> None:
        self.value = value
        self.previous = previous
        self.next = following
        self.owner: RcuList[T] | None = None


class RcuList(Generic[T]):
    """A doubly linked list with one reference to publish for each change (rcu_queue.h in QEMU).

    Readers iterate inside a read section and see each element that is in the list for the whole
    of the walk, once, in order. Of those that come and go meanwhile they may see any. Updaters are
    serialised by a lock of the list.

    ``reclaim``, where given, is called with each removed value after the readers that may have
    found it have left.
    """

    __slots__ = ("_first", "_last", "_length", "_lock", "_rcu", "_reclaim")

    def __init__(
        self,
        rcu: Rcu,
        values: Iterable[T] = (),
        *,
        reclaim: Callable[[T], object] | None = None,
    ) -> None:
        self._rcu = rcu
        self._reclaim = reclaim
        self._lock = threading.Lock()
        self._first: RcuNode[T] | None = None
        self._last: RcuNode[T] | None = None
        self._length = 0
        for value in values:
            self.append(value)

    def __iter__(self) -> Iterator[T]:
        for node in self.nodes():
            yield node.value

    def nodes(self) -> Iterator[RcuNode[T]]:
        """Walk the nodes; the caller is in a read section, or keeps updaters away."""
        node = self._first
        while node is not None:
            yield node
            node = node.next

    def __len__(self) -> int:
        return self._length

    def append(self, value: T) -> RcuNode[T]:
        """Insert at the end and return the new node."""
        with self._lock:
            return self._insert(value, self._last, None)

    def prepend(self, value: T) -> RcuNode[T]:
        """Insert at the beginning and return the new node."""
        with self._lock:
            return self._insert(value, None, self._first)

    def insert_before(self, node: RcuNode[T], value: T) -> RcuNode[T]:
        """Insert in front of ``node``; raises StateError if that is not in this list."""
        with self._lock:
            self._require(node)
            return self._insert(value, node.previous, node)

    def insert_after(self, node: RcuNode[T], value: T) -> RcuNode[T]:
        """Insert behind ``node``; raises StateError if that is not in this list."""
        with self._lock:
            self._require(node)
            return self._insert(value, node, node.next)

    def remove(self, node: RcuNode[T]) -> None:
        """Take ``node`` out and defer the reclaim of its value.

        Raises:
            StateError: the node is not in this list, for example because it was removed before.
        """
        with self._lock:
            self._require(node)
            self._publish(node.previous, node.next)
            self._link_back(node.next, node.previous)
            node.owner = None
            self._length -= 1
        if self._reclaim is not None:
            self._rcu.call(self._reclaim, node.value)

    def _require(self, node: RcuNode[T]) -> None:
        if node.owner is not self:
            raise StateError(f"the node of {node.value!r} is not, or no longer, in this list")

    def _insert(
        self, value: T, previous: RcuNode[T] | None, following: RcuNode[T] | None
    ) -> RcuNode[T]:
        node = RcuNode(value, previous, following)
        node.owner = self
        self._link_back(following, node)
        self._length += 1
        self._publish(previous, node)  # last: whoever finds the node finds it complete
        return node

    def _publish(self, previous: RcuNode[T] | None, node: RcuNode[T] | None) -> None:
        if previous is None:
            self._first = node
        else:
            previous.next = node

    def _link_back(self, node: RcuNode[T] | None, previous: RcuNode[T] | None) -> None:
        if node is None:
            self._last = previous
        else:
            node.previous = previous
