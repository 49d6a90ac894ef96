"""Transactions: many mutations, one publication; or none, if something goes wrong.

The outermost transaction renders the marked windows, tells the listeners, and publishes. A
transaction that ends with an exception is undone from the journal: its mutations have never
been seen by anybody.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from types import TracebackType
from typing import Any

from guestmap.base import StateError
from guestmap.base.named_tuple import NamedTuple
from guestmap.memory.map.commit import PendingCommit
from guestmap.memory.map.hearing import Hearers
from guestmap.memory.map.history import CommitRecord, ListenerWork
from guestmap.memory.map.space_list import SpaceList
from guestmap.memory.map.topology import Topology

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
        spaces: all address spaces.
        before_change: called before an outermost transaction begins.
        hearers: who hears of commits.
        closed: whether nothing can change any more.
        lock: held in a transaction; for who must not meet one.
        owner: the thread that is in a transaction and may change the tree; None for nobody.
    """

    hearers: Hearers

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.topology = Topology(self)
        self.generation = 0
        self.history: deque[CommitRecord] = deque(maxlen=HISTORY_LENGTH)
        self.spaces = SpaceList(self)
        self.closed = False
        self.before_change: Callable[[], None] = lambda: None
        self._now_ns = now_ns
        self.lock = threading.RLock()
        self._depth = 0
        self.owner: int | None = None
        self._steady = 0
        self._telling = False
        self._within = nullcontext()
        self._cause = ""
        self._journal: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self._afterwards: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def open(self, cause: str = "") -> Transaction:
        """Return a transaction to be entered with ``with``."""
        return Transaction(self, cause)

    def mutation(self) -> AbstractContextManager[None]:
        """Return what one mutation is made in: this thread's transaction, or one of its own."""
        return self._within if self.owner == threading.get_ident() else Transaction(self, "")

    def note(self, undo: Callable[..., object], *args: object) -> None:
        """Add to the journal how to undo the mutation that comes next."""
        self._journal.append((undo, args))

    def afterwards(self, action: Callable[..., object], *args: object) -> None:
        """Call ``action`` when the outermost transaction has published; not if it is undone."""
        with self.open():
            self._afterwards.append((action, args))
            self.note(self._afterwards.pop)

    def refuse_inside(self, action: str) -> None:
        """Check that the calling thread is in no transaction and in no callback.

        Raises:
            StateError: it is in one.
        """
        with self.lock:
            self.refuse_in_callback()
            if self._depth:
                raise StateError(f"cannot {action} the memory system inside a transaction")

    def refuse_if_closed(self) -> None:
        """Check that the memory system is open.

        Raises:
            StateError: it is closed.
        """
        if self.closed:
            raise StateError("the memory system is closed: make a new one")

    def refuse_in_callback(self) -> None:
        """Check that the caller is no callback.

        Raises:
            StateError: it is one.
        """
        if self._telling:
            raise StateError(
                "a memory listener or subscriber must not change the memory that it is told about"
            )

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Callbacks run inside; nothing can be changed by them."""
        self._telling = True
        try:
            yield
        finally:
            self._telling = False

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Let no transaction run inside (see :meth:`MemorySystem.steady`)."""
        with self.lock:
            self.refuse_inside("read")
            self._steady += 1
            try:
                yield
            finally:
                self._steady -= 1

    def begin(self, cause: str) -> _Savepoint:
        """Open one level and return what to undo to."""
        self.lock.acquire()
        try:
            if self.closed or self._telling or self._steady:
                self._refuse_change()
            if not self._depth:
                self.before_change()
        except BaseException:  # whoever flushes runs a device's callback, which may raise anything
            self.lock.release()
            raise
        savepoint = _Savepoint(len(self._journal), self._cause)
        if not self._depth:
            self.owner = threading.get_ident()
        self._depth += 1
        if cause and not self._cause:
            self._cause = cause
        return savepoint

    def _refuse_change(self) -> None:
        self.refuse_if_closed()
        self.refuse_in_callback()
        if self._steady:
            raise StateError("cannot change the memory system while it is held steady to be read")

    def end(self) -> None:
        """Close one level; the outermost one publishes."""
        try:
            self._depth -= 1
            if self._depth == 0:
                self.owner = None
                self._commit()
        finally:
            self.lock.release()

    def undo_to(self, savepoint: _Savepoint) -> None:
        """Take back all mutations since ``savepoint``, last first."""
        while len(self._journal) > savepoint.length:
            undo, args = self._journal.pop()
            undo(*args)
        self._cause = savepoint.cause

    # -- the commit ------------------------------------------------------------------------------

    def _commit(self) -> None:
        try:
            if self._journal:
                self._publish()
        finally:
            self._journal.clear()
            self._cause = ""
            self.topology.settle()
            if self._afterwards:
                self._run_afterwards()

    def _run_afterwards(self) -> None:
        actions, self._afterwards = self._afterwards, []
        with ExitStack() as calls:  # each is called, whatever the others raise
            for action, args in reversed(actions):
                calls.callback(action, *args)

    def _publish(self) -> None:
        """Make the commit. If anybody refuses, everything is as it was before."""
        hearers, back = self.hearers, None
        told = hearers.round()
        self._telling = True
        try:
            commit = PendingCommit.prepare(
                self.topology, self.spaces.removed, self.spaces.nowhere, self.generation + 1
            )
            if hearers.spaces:
                changes = commit.changes(self.topology, hearers.spaces)
                told.tell(changes, shown=commit.shows(hearers.spaces))
                back = commit.inverse()
            commit.publish(self.topology)
            told.commit()
        except BaseException as error:
            if back is not None:
                back.publish(self.topology)
            self.undo_to(_Savepoint(0, ""))
            told.take_back(error)
            raise
        finally:
            self._telling = False
        if self.spaces.removed:
            self.spaces.drop_removed()
        if commit.news or commit.rerouted:
            self._record(commit, told.work)

    def _record(self, commit: PendingCommit, work: ListenerWork) -> None:
        self.generation += 1
        record = CommitRecord(
            self.generation,
            self._cause,
            self._now_ns(),
            commit.differences(),
            commit.rerouted,
            work,
        )
        self.history.append(record)
        if self.hearers.wants_records:
            self._telling = True
            try:
                self.hearers.publish(record)
            finally:
                self._telling = False
