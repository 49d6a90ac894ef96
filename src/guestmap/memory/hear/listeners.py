"""Who listens to what, and the rounds in which they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from guestmap.base import StateError
from guestmap.memory.hear.ioeventfd import IoEventFd
from guestmap.memory.hear.ioeventfds import IoEventFds
from guestmap.memory.hear.listener import MemoryListener, in_order
from guestmap.memory.hear.notify import Notification
from guestmap.memory.map.checks import checked_kind

if TYPE_CHECKING:
    from guestmap.base import AddrRange
    from guestmap.memory.map.history import CommitRecord
    from guestmap.memory.map.region import MemoryRegion
    from guestmap.memory.map.space import ViewedSpace
    from guestmap.memory.map.transaction import Transactions


class Listeners:
    """The listeners and subscribers of one memory system.

    Attributes:
        all: every listener, lowest priority first.
        spaces: the address spaces that somebody listens to, oldest first.
        ioeventfds: the writes that ring, region by region.
        coalesced: the parts of each region of which writes may be held back.
        subscribers: called with each commit's record, after the listeners.
    """

    def __init__(self, transactions: Transactions, ioeventfds: IoEventFds) -> None:
        self.all: list[MemoryListener] = []
        self.spaces: list[ViewedSpace] = []
        self.ioeventfds = ioeventfds
        self.coalesced: dict[MemoryRegion, list[AddrRange]] = {}
        self.subscribers: list[Callable[[CommitRecord], None]] = []
        self._on: dict[ViewedSpace, list[MemoryListener]] = {}
        self._ioeventfds_told: dict[ViewedSpace, list[IoEventFd]] = {}
        self._transactions = transactions
        transactions.hearers = self

    def on(self, space: ViewedSpace) -> list[MemoryListener]:
        """Return the listeners of one address space, lowest priority first."""
        return self._on.get(space, [])

    def ioeventfds_on(self, space: ViewedSpace) -> list[IoEventFd]:
        """Return the I/O event descriptors that the listeners of one address space know."""
        return self._ioeventfds_told.get(space, [])

    def space_of(self, listener: MemoryListener) -> ViewedSpace:
        """Return the address space that a registered listener is on."""
        return next(space for space, listeners in self._on.items() if listener in listeners)

    def add(self, space: ViewedSpace, listener: MemoryListener) -> None:
        """Register ``listener`` and tell it the whole view as added.

        Raises:
            ConfigError: it is no listener.
            StateError: it is registered already, the space is gone, or a callback is running.
        """
        checked_kind(f"address space {space.name!r}: listener", listener, MemoryListener)
        with self._transactions.lock:
            self._transactions.refuse_in_callback()
            if listener in self.all:
                raise StateError(f"listener {listener.name!r} is registered already")
            if space not in self._transactions.spaces.all:
                raise StateError(f"address space {space.name!r} was removed: nothing to listen to")
            with self.notification() as round_:
                round_.all_of(space, listener, added=True)
            self.all = in_order([*self.all, listener])
            self._on[space] = in_order([*self.on(space), listener])
            self._look_for_spaces()
            self._ioeventfds_told[space] = self.ioeventfds.shown(space.view)

    def remove(self, space: ViewedSpace, listener: MemoryListener) -> None:
        """Tell ``listener`` that everything goes, and forget it, whatever it answers.

        Raises:
            ConfigError: it is no listener.
            StateError: it is not registered on ``space``, or a callback is running.
        """
        with self._transactions.lock:
            self._transactions.refuse_in_callback()
            if listener not in self.on(space):
                checked_kind(f"address space {space.name!r}: listener", listener, MemoryListener)
                raise StateError(f"listener {listener.name!r} is not registered on {space.name!r}")
            self._dismiss(space, [listener])
            with self._transactions.telling():
                self.round().all_of(space, listener, added=False)

    @contextmanager
    def notification(self) -> Iterator[Notification]:
        """Callbacks are made inside; what was told is taken back where one of them refuses."""
        with self._transactions.lock:
            self._transactions.refuse_in_callback()
            with self._transactions.telling():
                round_ = self.round()
                try:
                    yield round_
                except BaseException as error:
                    round_.take_back(error)
                    raise

    def round(self) -> Notification:
        """Return a new round of callbacks."""
        return Notification(self.all, self._on, self.coalesced, self.ioeventfds,
                            self._ioeventfds_told)  # fmt: skip

    def leave(self, space: ViewedSpace) -> None:
        """Forget, without a word, whoever listens to a space that shows nothing any more."""
        self._dismiss(space, self.on(space))

    @property
    def wants_records(self) -> bool:
        """Whether somebody wants to know of each commit."""
        return bool(self.subscribers)

    def publish(self, record: CommitRecord) -> None:
        """Call each subscriber, whatever the others raise."""
        if len(self.subscribers) == 1:
            self.subscribers[0](record)
            return
        with ExitStack() as calls:
            for subscriber in reversed(self.subscribers):
                calls.callback(subscriber, record)

    def _dismiss(self, space: ViewedSpace, listeners: list[MemoryListener]) -> None:
        self.all = [x for x in self.all if x not in listeners]
        left = [x for x in self.on(space) if x not in listeners]
        if left:
            self._on[space] = left
        else:
            self._on.pop(space, None)
            self._ioeventfds_told.pop(space, None)
        self._look_for_spaces()

    def _look_for_spaces(self) -> None:
        self.spaces = [space for space in self._transactions.spaces.all if space in self._on]
