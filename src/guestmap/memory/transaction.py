"""Transactions: many mutations, one publication; or none, if something goes wrong.

The outermost transaction renders the marked windows, tells the listeners, and publishes. A
transaction that ends with an exception is undone from the journal: its mutations have never
been seen by anybody.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from guestmap.base import StateError
from guestmap.memory.flatview import FlatView
from guestmap.memory.history import CommitRecord, ViewChange
from guestmap.memory.listener import MemoryListener, in_order, tell_everything, tell_patches
from guestmap.memory.topology import Topology
from guestmap.memory.view_root import Patch, ViewRoot

if TYPE_CHECKING:
    from guestmap.memory.address_space import AddressSpace

HISTORY_LENGTH = 256


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
        if kind is not None:
            self._transactions.undo_to(self._savepoint)
        self._transactions.end()


class Transactions:
    """Depth, journal and commit of one memory system.

    Attributes:
        generation: number of the last published commit.
        history: the last commits, oldest first.
        subscribers: called with each commit's record, after the listeners.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.topology = Topology(self)
        self.generation = 0
        self.history: deque[CommitRecord] = deque(maxlen=HISTORY_LENGTH)
        self.subscribers: list[Callable[[CommitRecord], None]] = []
        self.spaces: dict[AddressSpace, None] = {}
        self.listeners: list[MemoryListener] = []
        self.listened: list[AddressSpace] = []
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

    def begin(self, cause: str) -> int:
        """Open one level and return the place in the journal to undo to."""
        self._lock.acquire()
        if self._telling:
            self._lock.release()
            raise StateError("a memory listener must not change the tree that it is told about")
        self._depth += 1
        if cause and not self._cause:
            self._cause = cause
        return len(self._journal)

    def end(self) -> None:
        """Close one level; the outermost one publishes."""
        try:
            self._depth -= 1
            if self._depth == 0:
                self._commit()
        finally:
            self._lock.release()

    def undo_to(self, savepoint: int) -> None:
        """Take back all mutations since ``savepoint``, last first."""
        while len(self._journal) > savepoint:
            undo, args = self._journal.pop()
            undo(*args)

    # -- address spaces and listeners --------------------------------------------------------------

    def add_space(self, space: AddressSpace) -> None:
        """Take in a new address space and give it its view."""
        with self.open():
            self.note(self._forget_space, space)
            self.topology.attach(space, space.root)
            self.spaces[space] = None
            space.source = self.topology.root_of(space.root)
            space.source.users[space] = None

    def remove_space(self, space: AddressSpace) -> None:
        """Let an address space go; its listeners hear that everything goes."""
        with self._lock:
            for listener in list(space.listeners):
                self.remove_listener(space, listener)
            self._forget_space(space)
            if not space.source.users:
                self.topology.retire(space.source)

    def _forget_space(self, space: AddressSpace) -> None:
        self.topology.detach(space, space.root)
        self.topology.rerouted.pop(space, None)
        self.spaces.pop(space, None)
        if space in space.source.users:
            del space.source.users[space]

    def add_listener(self, space: AddressSpace, listener: MemoryListener) -> None:
        """Register ``listener`` and tell it the whole view as added."""
        with self._lock:
            if listener in self.listeners:
                raise StateError(f"listener {listener.name!r} is registered already")
            self.listeners = in_order([*self.listeners, listener])
            space.listeners = in_order([*space.listeners, listener])
            self.listened = [s for s in self.spaces if s.listeners]
            self._tell_all(space, listener, added=True)

    def remove_listener(self, space: AddressSpace, listener: MemoryListener) -> None:
        """Tell ``listener`` that everything goes, and forget it."""
        with self._lock:
            if listener not in space.listeners:
                raise StateError(f"listener {listener.name!r} is not registered on {space.name!r}")
            self._tell_all(space, listener, added=False)
            self.listeners = [x for x in self.listeners if x is not listener]
            space.listeners = [x for x in space.listeners if x is not listener]
            self.listened = [s for s in self.spaces if s.listeners]

    def _tell_all(self, space: AddressSpace, listener: MemoryListener, *, added: bool) -> None:
        self._telling = True
        try:
            tell_everything(space, listener, added=added)
        finally:
            self._telling = False

    # -- the commit --------------------------------------------------------------------------------

    def _commit(self) -> None:
        try:
            if self.topology.dirty or self.topology.rerouted:
                try:
                    moves, news = self._prepare()
                except BaseException:
                    self.undo_to(0)
                    self._reset_marks()
                    raise
                self._publish(moves, news)
        finally:
            self._journal.clear()
            self._cause = ""

    def _prepare(
        self,
    ) -> tuple[dict[AddressSpace, ViewRoot], dict[ViewRoot, tuple[FlatView, list[Patch]]]]:
        """Render what is marked. Nothing that a reader can see has changed when this fails."""
        topology = self.topology
        moves = {
            space: root
            for space in topology.rerouted
            if (root := topology.root_of(space.root)) is not space.source
        }
        generation = self.generation + 1
        news = {}
        for root in topology.dirty:
            view, patches = root.rerendered(generation)
            if patches:
                news[root] = (view, patches)
        return moves, news

    def _reset_marks(self) -> None:
        """After an undo the published views are right again, and new roots have no users."""
        topology = self.topology
        for root in list(topology.roots.values()):
            root.unmark()
            if not root.users:
                topology.retire(root)
        topology.dirty.clear()
        topology.rerouted.clear()

    def _publish(
        self,
        moves: dict[AddressSpace, ViewRoot],
        news: dict[ViewRoot, tuple[FlatView, list[Patch]]],
    ) -> None:
        topology = self.topology
        for root in topology.dirty:
            root.unmark()
        topology.dirty.clear()
        topology.rerouted.clear()
        if not moves and not news:
            return
        told = self._tell(moves, news)
        self.generation += 1
        for root, (view, _patches) in news.items():
            root.view = view
        for space, root in moves.items():
            self._move(space, root)
        self._telling = True
        try:
            for listener in told:
                listener.commit()
        finally:
            self._telling = False
        self._record(moves, news)

    def _move(self, space: AddressSpace, root: ViewRoot) -> None:
        left = space.source
        del left.users[space]
        root.users[space] = None
        space.source = root
        if not left.users:
            self.topology.retire(left)

    def _tell(
        self,
        moves: dict[AddressSpace, ViewRoot],
        news: dict[ViewRoot, tuple[FlatView, list[Patch]]],
    ) -> list[MemoryListener]:
        """Tell what goes and what comes, space by space; return who was told."""
        listeners = self.listeners
        self._telling = True
        try:
            for listener in listeners:
                listener.begin()
            for space in self.listened:
                root = moves.get(space, space.source)
                view = space.source.view
                if space in moves:
                    new = news[root][0] if root in news else root.view
                    tell_patches(space, [Patch(view.ranges, new.ranges)], view, new)
                elif root in news:
                    tell_patches(space, news[root][1], view, news[root][0])
        finally:
            self._telling = False
        return listeners

    def _record(
        self,
        moves: dict[AddressSpace, ViewRoot],
        news: dict[ViewRoot, tuple[FlatView, list[Patch]]],
    ) -> None:
        record = CommitRecord(
            self.generation,
            self._cause,
            self._now_ns(),
            tuple(_view_change(root, patches) for root, (_view, patches) in news.items()),
            tuple(space.name for space in moves),
        )
        self.history.append(record)
        for subscriber in tuple(self.subscribers):
            subscriber(record)


def _view_change(root: ViewRoot, patches: list[Patch]) -> ViewChange:
    name = root.region.name if root.region is not None else "(none)"
    return ViewChange(
        name,
        tuple(r for p in patches for r in p.old),
        tuple(r for p in patches for r in p.new),
    )
