"""The address spaces of one machine, which come and go with a commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import StateError
from guestmap.memory.map.routes import attach, detach
from guestmap.memory.map.view_root import ViewRoot

if TYPE_CHECKING:
    from guestmap.memory.map.space import ViewedSpace
    from guestmap.memory.map.transaction import Transactions


class SpaceList:
    """All address spaces, those that are about to go among them.

    Attributes:
        all: every one, oldest first.
        removed: those that go with the next commit.
        nowhere: the root of those that are not there yet, or no more.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self.all: dict[ViewedSpace, None] = {}
        self.removed: dict[ViewedSpace, None] = {}
        self.nowhere = ViewRoot(None)

    def add(self, space: ViewedSpace) -> None:
        """Take in a new address space; it shows nothing until the commit."""
        with self._transactions.open():
            self._transactions.note(self._forget, space)
            self.all[space] = None
            space.source = self.nowhere
            self.nowhere.users[space] = None
            self._set_out(space)

    def remove(self, space: ViewedSpace) -> None:
        """Let an address space go with the commit; its listeners hear that everything goes.

        Raises:
            StateError: it has gone already.
        """
        with self._transactions.open():
            if space not in self.all or space in self.removed:
                raise StateError(f"address space {space.name!r} was removed before")
            self._transactions.note(self._readmit, space)
            self.removed[space] = None
            detach(space, space.root)
            self._transactions.topology.rerouted[space] = None

    def drop_removed(self) -> None:
        """Forget those that went with the commit, and whoever still listens to them."""
        for space in self.removed:
            self._drop(space)
        self.removed.clear()

    def _readmit(self, space: ViewedSpace) -> None:
        del self.removed[space]
        self._set_out(space)

    def _set_out(self, space: ViewedSpace) -> None:
        attach(space, space.root)
        self._transactions.topology.rerouted[space] = None

    def _forget(self, space: ViewedSpace) -> None:
        detach(space, space.root)
        self._transactions.topology.rerouted.pop(space, None)
        self._drop(space)

    def _drop(self, space: ViewedSpace) -> None:
        del self.all[space]
        del self.nowhere.users[space]
        self._transactions.hearers.leave(space)
