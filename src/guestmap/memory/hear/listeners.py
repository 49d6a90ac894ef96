"""Who listens to what, and that nobody changes the memory while it is told about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from guestmap.base import StateError
from guestmap.memory.hear.ioeventfd import shown
from guestmap.memory.hear.listener import MemoryListener, in_order
from guestmap.memory.hear.notify import Telling
from guestmap.memory.map.history import CommitRecord

if TYPE_CHECKING:
    from guestmap.memory.access.address_space import AddressSpace


class Audience:
    """The listeners and subscribers of one memory system. Its caller holds the system's lock.

    Attributes:
        listeners: all of them, lowest priority first.
        spaces: the address spaces that somebody listens to, oldest first.
        bell_spaces: those of them where somebody wants to know of I/O event descriptors.
        checked_spaces: those of them where somebody may refuse a commit beforehand.
        subscribers: called with each commit's record, after the listeners.
    """

    def __init__(self, all_spaces: dict[AddressSpace, None]) -> None:
        self.listeners: list[MemoryListener] = []
        self.spaces: list[AddressSpace] = []
        self.bell_spaces: list[AddressSpace] = []
        self.checked_spaces: list[AddressSpace] = []
        self.subscribers: list[Callable[[CommitRecord], None]] = []
        self._all_spaces = all_spaces
        self._telling = False

    @contextmanager
    def told(self) -> Iterator[Telling]:
        """Callbacks run inside; nothing can be changed by them."""
        self._telling = True
        try:
            yield Telling()
        finally:
            self._telling = False

    def refuse_in_callback(self) -> None:
        """Check that the caller is no callback.

        Raises:
            StateError: it is one.
        """
        if self._telling:
            raise StateError(
                "a memory listener or subscriber must not change the memory that it is told about"
            )

    def add(self, space: AddressSpace, listener: MemoryListener) -> None:
        """Register ``listener`` and tell it the whole view as added.

        Raises:
            StateError: it is registered already, the space is gone, or a callback is running.
        """
        self.refuse_in_callback()
        if listener in self.listeners:
            raise StateError(f"listener {listener.name!r} is registered already")
        if space not in self._all_spaces:
            raise StateError(f"address space {space.name!r} was removed: nothing to listen to")
        with self.told() as telling:
            try:
                telling.all_of(space, listener, added=True)
            except BaseException as error:
                telling.take_back(error)
                raise
        self.listeners = in_order([*self.listeners, listener])
        space.listeners = in_order([*space.listeners, listener])
        space.ioeventfds = shown(space.view)
        self._look_for_spaces()

    def remove(self, space: AddressSpace, listener: MemoryListener) -> None:
        """Tell ``listener`` that everything goes, and forget it, whatever it answers.

        Raises:
            StateError: it is not registered on ``space``, or a callback is running.
        """
        self.refuse_in_callback()
        if listener not in space.listeners:
            raise StateError(f"listener {listener.name!r} is not registered on {space.name!r}")
        self._dismiss(space, [listener])
        with self.told() as telling:
            telling.all_of(space, listener, added=False)

    def leave(self, space: AddressSpace) -> None:
        """Forget, without a word, whoever listens to a space that shows nothing any more."""
        self._dismiss(space, space.listeners)

    def publish(self, record: CommitRecord) -> None:
        """Call each subscriber, whatever the others raise."""
        with self.told(), ExitStack() as calls:
            for subscriber in reversed(self.subscribers):
                calls.callback(subscriber, record)

    def _dismiss(self, space: AddressSpace, listeners: list[MemoryListener]) -> None:
        self.listeners = [x for x in self.listeners if x not in listeners]
        space.listeners = [x for x in space.listeners if x not in listeners]
        self._look_for_spaces()

    def _look_for_spaces(self) -> None:
        self.spaces = [space for space in self._all_spaces if space.listeners]
        self.bell_spaces = [
            space for space in self.spaces if any(_asks_for_bells(x) for x in space.listeners)
        ]
        self.checked_spaces = [
            space
            for space in self.spaces
            if any(type(x).check is not MemoryListener.check for x in space.listeners)
        ]


def _asks_for_bells(listener: MemoryListener) -> bool:
    kind = type(listener)
    return (
        kind.eventfd_add is not MemoryListener.eventfd_add
        or kind.eventfd_del is not MemoryListener.eventfd_del
    )
