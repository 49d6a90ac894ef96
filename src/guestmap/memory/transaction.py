"""Transactions: many mutations, one publication; or none, if something goes wrong.

The outermost transaction renders the marked windows, tells the listeners, and publishes. A
transaction that ends with an exception is undone from the journal: its mutations have never
been seen by anybody.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from guestmap.base import StateError
from guestmap.memory.commit import Commit
from guestmap.memory.history import CommitRecord
from guestmap.memory.listener import MemoryListener, in_order
from guestmap.memory.telling import Telling
from guestmap.memory.topology import Topology
from guestmap.memory.view_root import ViewRoot

if TYPE_CHECKING:
    from guestmap.memory.address_space import AddressSpace

HISTORY_LENGTH = 256


class _Savepoint(NamedTuple):
    """Where a transaction began: the length of the journal, and the cause given until then."""

    length: int
    cause: str


class Transaction:
    """The context manager that :meth:`guestmap.memory.MemorySystem.transaction` returns."""

    __slots__ = ("_cause", "_savepoint", "_transactions")

    def __init__(self, transactions: Transactions, cause: str) -> None:
        self._transactions = transactions
        self._cause = cause

    def __enter__(self) -> None:
        self._savepoint = self._transactions.begin(self._cause)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        try:
            if kind is not None:
                self._transactions.undo_to(self._savepoint)
        finally:
            self._transactions.end()


class Transactions:
    """Depth, journal and commit of one memory system.

    Attributes:
        generation: number of the last published commit.
        history: the last commits, oldest first.
        subscribers: called with each commit's record, after the listeners.
        spaces: all address spaces, oldest first.
        removed: those of them that go with the next commit.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.topology = Topology(self)
        self.generation = 0
        self.history: deque[CommitRecord] = deque(maxlen=HISTORY_LENGTH)
        self.subscribers: list[Callable[[CommitRecord], None]] = []
        self.spaces: dict[AddressSpace, None] = {}
        self.removed: dict[AddressSpace, None] = {}
        self._nowhere = ViewRoot(None)
        self._listeners: list[MemoryListener] = []
        self._listened: list[AddressSpace] = []
        self._now_ns = now_ns
        self._lock = threading.RLock()
        self._depth = 0
        self._cause = ""
        self._telling = False
        self._journal: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

    def open(self, cause: str = "") -> Transaction:
        """Return a transaction to be entered with ``with``."""
        return Transaction(self, cause)

    def note(self, undo: Callable[..., None], *args: object) -> None:
        """Add to the journal how to undo the mutation that comes next."""
        self._journal.append((undo, args))

    def begin(self, cause: str) -> _Savepoint:
        """Open one level and return what to undo to."""
        self._lock.acquire()
        try:
            self._refuse_in_callback()
        except StateError:
            self._lock.release()
            raise
        savepoint = _Savepoint(len(self._journal), self._cause)
        self._depth += 1
        if cause and not self._cause:
            self._cause = cause
        return savepoint

    def end(self) -> None:
        """Close one level; the outermost one publishes."""
        try:
            self._depth -= 1
            if self._depth == 0:
                self._commit()
        finally:
            self._lock.release()

    def undo_to(self, savepoint: _Savepoint) -> None:
        """Take back all mutations since ``savepoint``, last first."""
        while len(self._journal) > savepoint.length:
            undo, args = self._journal.pop()
            undo(*args)
        self._cause = savepoint.cause

    def _refuse_in_callback(self) -> None:
        if self._telling:
            raise StateError(
                "a memory listener or subscriber must not change the memory that it is told about"
            )

    # -- address spaces --------------------------------------------------------------------------

    def add_space(self, space: AddressSpace) -> None:
        """Take in a new address space; it shows nothing until the commit."""
        with self.open():
            self.note(self._forget_space, space)
            self.spaces[space] = None
            space.source = self._nowhere
            self._nowhere.users[space] = None
            self._set_out(space)

    def remove_space(self, space: AddressSpace) -> None:
        """Let an address space go with the commit; its listeners hear that everything goes.

        Raises:
            StateError: it has gone already.
        """
        with self.open():
            if space not in self.spaces or space in self.removed:
                raise StateError(f"address space {space.name!r} was removed before")
            self.note(self._readmit_space, space)
            self.removed[space] = None
            self.topology.detach(space, space.root)
            self.topology.rerouted[space] = None

    def _readmit_space(self, space: AddressSpace) -> None:
        del self.removed[space]
        self._set_out(space)

    def _set_out(self, space: AddressSpace) -> None:
        self.topology.attach(space, space.root)
        self.topology.rerouted[space] = None

    def _forget_space(self, space: AddressSpace) -> None:
        self.topology.detach(space, space.root)
        self.topology.rerouted.pop(space, None)
        self._drop_space(space)

    def _drop_space(self, space: AddressSpace) -> None:
        """Forget a space that shows nothing, and whoever still listens to it."""
        del self.spaces[space]
        del self._nowhere.users[space]
        self._dismiss(space, space.listeners)

    # -- listeners -------------------------------------------------------------------------------

    def add_listener(self, space: AddressSpace, listener: MemoryListener) -> None:
        """Register ``listener`` and tell it the whole view as added.

        Raises:
            StateError: it is registered already, the space is gone, or a callback is running.
        """
        with self._lock:
            self._refuse_in_callback()
            if listener in self._listeners:
                raise StateError(f"listener {listener.name!r} is registered already")
            if space not in self.spaces:
                raise StateError(f"address space {space.name!r} was removed: nothing to listen to")
            self._tell_all(space, listener, added=True)
            self._listeners = in_order([*self._listeners, listener])
            space.listeners = in_order([*space.listeners, listener])
            self._listened = [s for s in self.spaces if s.listeners]

    def remove_listener(self, space: AddressSpace, listener: MemoryListener) -> None:
        """Tell ``listener`` that everything goes, and forget it, whatever it answers.

        Raises:
            StateError: it is not registered on ``space``, or a callback is running.
        """
        with self._lock:
            self._refuse_in_callback()
            if listener not in space.listeners:
                raise StateError(f"listener {listener.name!r} is not registered on {space.name!r}")
            self._dismiss(space, [listener])
            self._tell_all(space, listener, added=False)

    def _dismiss(self, space: AddressSpace, listeners: list[MemoryListener]) -> None:
        self._listeners = [x for x in self._listeners if x not in listeners]
        space.listeners = [x for x in space.listeners if x not in listeners]
        self._listened = [s for s in self.spaces if s.listeners]

    def _tell_all(self, space: AddressSpace, listener: MemoryListener, *, added: bool) -> None:
        telling = Telling()
        self._telling = True
        try:
            telling.begin([listener])
            telling.everything(space, listener, added=added)
            telling.commit()
        except BaseException as error:
            if added:
                _add_notes(error, telling.take_back())
            raise
        finally:
            self._telling = False

    # -- the commit ------------------------------------------------------------------------------

    def _commit(self) -> None:
        try:
            if self._journal:
                self._publish()
        finally:
            self._journal.clear()
            self._cause = ""
            self.topology.settle()

    def _publish(self) -> None:
        """Make the commit. If anybody refuses, everything is as it was before."""
        start = _Savepoint(0, "")
        telling = Telling()
        back: Commit | None = None
        self._telling = True
        try:
            commit = Commit.prepare(self.topology, self.removed, self._nowhere, self.generation + 1)
            if commit.told:
                commit.tell(telling, self._listeners, self._listened)
            back = commit.publish(self.topology)
            telling.commit()
        except BaseException as error:
            if back is not None:
                back.publish(self.topology)
            self.undo_to(start)
            _add_notes(error, telling.take_back())
            raise
        finally:
            self._telling = False
        for space in self.removed:
            self._drop_space(space)
        self.removed.clear()
        if commit.news or commit.rerouted:
            self._record(commit)

    def _record(self, commit: Commit) -> None:
        self.generation += 1
        record = CommitRecord(
            self.generation, self._cause, self._now_ns(), commit.changes(), commit.rerouted
        )
        self.history.append(record)
        self._telling = True
        try:
            with ExitStack() as calls:  # each is called, whatever the others raise
                for subscriber in reversed(self.subscribers):
                    calls.callback(subscriber, record)
        finally:
            self._telling = False


def _add_notes(error: BaseException, failures: list[Exception]) -> None:
    for failure in failures:
        error.add_note(f"taking the change back, a listener raised {failure!r}")
