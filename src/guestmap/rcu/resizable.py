"""The array that grows while others index it without a lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, MutableSequence
from typing import Generic, TypeVar, cast

from guestmap.base import ConfigError
from guestmap.base.named_tuple import NamedTuple
from guestmap.rcu.cell import RcuCell
from guestmap.rcu.domain import Rcu

T = TypeVar("T")


class _Version(NamedTuple, Generic[T]):
    """A size and the storage that it counts in; readers get both or neither."""

    size: int
    storage: MutableSequence[T]


class RcuArray(Generic[T]):
    """A resizable array: an append is cheap, and only a growth replaces the storage.

    The trap of a growing array is a reader that checks an index against one size and then uses it
    on another storage. So the two are published together, as one object that never changes. An
    append writes behind the published size, where no reader looks, and then publishes a
    version that counts one more. When the storage is full it is copied into one of twice the
    capacity, and the old one is reclaimed after its readers have left.

    Elements are read inside a read section; updaters are serialised by a lock of the array.

    Args:
        rcu: the domain whose read sections protect the readers.
        capacity: for how many elements the first storage is made; at least 1.
        allocate: makes storage for a number of elements; by default a plain list. Storage
            may be anything that can be indexed, a memoryview of shared memory for example.
        reclaim: what to do with replaced storage that Python's reference counts do not free.

    Raises:
        ConfigError: ``capacity`` is below 1.
    """

    __slots__ = ("_allocate", "_capacity", "_current", "_lock", "_rcu", "_reclaim")

    def __init__(
        self,
        rcu: Rcu,
        *,
        capacity: int = 8,
        allocate: Callable[[int], MutableSequence[T]] | None = None,
        reclaim: Callable[[MutableSequence[T]], object] | None = None,
    ) -> None:
        if capacity < 1:
            raise ConfigError(f"an RcuArray of capacity {capacity}: it needs room for 1 at least")
        self._rcu = rcu
        self._allocate = allocate if allocate is not None else _list_storage
        self._reclaim = reclaim
        self._lock = threading.Lock()
        self._capacity = capacity
        first: MutableSequence[T] = self._allocate(capacity)
        self._current = RcuCell(_Version(0, first))

    def __len__(self) -> int:
        return self._current.value.size

    @property
    def capacity(self) -> int:
        """How many elements the present storage takes."""
        return self._capacity

    def __getitem__(self, index: int) -> T:
        """Return an element; raises IndexError outside 0..size-1 (no negative indices)."""
        size, storage = self._current.value
        if not 0 <= index < size:
            raise IndexError(f"index {index} of an RcuArray of {size}")
        return storage[index]

    def get(self, index: int, default: T) -> T:
        """Return an element, or ``default`` where there is none."""
        size, storage = self._current.value
        return storage[index] if 0 <= index < size else default

    def __iter__(self) -> Iterator[T]:
        size, storage = self._current.value
        for index in range(size):
            yield storage[index]

    def __setitem__(self, index: int, value: T) -> None:
        """Replace one element; raises IndexError outside 0..size-1."""
        with self._lock:
            size, storage = self._current.value
            if not 0 <= index < size:
                raise IndexError(f"index {index} of an RcuArray of {size}")
            storage[index] = value

    def append(self, value: T) -> None:
        """Add an element at the end."""
        with self._lock:
            size, storage = self._current.value
            if size < self._capacity:
                storage[size] = value
                self._current.set(_Version(size + 1, storage))
            else:
                self._rebuild(2 * self._capacity, size, value)

    def truncate(self, size: int) -> None:
        """Forget the elements from ``size`` on; more than there are is no change.

        The storage is copied: a later append must not write where older readers still look.

        Raises:
            ConfigError: ``size`` is negative.
        """
        if size < 0:
            raise ConfigError(f"an RcuArray is truncated to {size} elements: give 0 or more")
        with self._lock:
            if size < self._current.value.size:
                self._rebuild(self._capacity, size)

    def _rebuild(self, capacity: int, keep: int, *added: T) -> None:
        """Publish new storage with the first ``keep`` elements and ``added``."""
        old = self._current.value.storage
        storage = self._allocate(capacity)
        for index in range(keep):
            storage[index] = old[index]
        for index, value in enumerate(added, keep):
            storage[index] = value
        self._capacity = capacity
        self._current.set(_Version(keep + len(added), storage))
        if self._reclaim is not None:
            self._rcu.call(self._reclaim, old)


def _list_storage(size: int) -> MutableSequence[T]:
    # The places beyond the published size are never read, so None is never seen as a T.
    return cast("MutableSequence[T]", [None] * size)
