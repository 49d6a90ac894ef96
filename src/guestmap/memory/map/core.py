"""What the regions of one machine share: RAM blocks, guards, transactions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from guestmap.memory.map.guard import DeviceGuards
from guestmap.memory.map.history import CommitRecord
from guestmap.memory.map.transaction import Transaction, Transactions
from guestmap.memory.ram.block_list import RamList
from guestmap.rcu import Rcu


class MapCore:
    """What :class:`guestmap.memory.MemorySystem` is to its regions.

    Attributes:
        rcu: readers of host memory; what is given back waits for them.
        ram_blocks: all RAM blocks, largest first.
        guards: against devices that reach themselves.
        transactions: depth, journal and commit.
        topology: the notes that commits go by.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.rcu = Rcu("memory")
        self.ram_blocks = RamList()
        self.guards = DeviceGuards()
        self.transactions = Transactions(now_ns)
        self.topology = self.transactions.topology

    @property
    def closed(self) -> bool:
        """Whether it has been closed."""
        return self.transactions.closed

    def transaction(self, cause: str = "") -> Transaction:
        """Return a context manager: mutations inside show all at once at its end.

        Transactions nest; the outermost publishes, and the first cause given names the commit. An
        exception undoes what its block changed. Where nothing changed, nothing is published.

        Raises:
            ConfigError: at the end, when a view would never end; everything is undone.
            StateError: the system is closed, or a listener tried to change the tree.
        """
        if self.transactions.closed:
            self.refuse_if_closed()
        return Transaction(self.transactions, cause)

    def steady(self) -> AbstractContextManager[None]:
        """Return a context manager inside which no transaction runs, in whatever thread.

        For who reads more than one view: the tree, several address spaces. Transactions of other
        threads wait for its end, so be quick; one view alone is whole without this.

        Raises:
            StateError: on entry, in a transaction or a callback of this thread; and, from whatever
                opens a transaction inside.
        """
        return self.transactions.steady()

    @property
    def generation(self) -> int:
        """Number of the last published commit."""
        return self.transactions.generation

    @property
    def history(self) -> tuple[CommitRecord, ...]:
        """The last commits, oldest first."""
        return tuple(self.transactions.history)

    def refuse_if_closed(self) -> None:
        """Check that the system is open.

        Raises:
            StateError: it is closed.
        """
        self.transactions.refuse_if_closed()
