"""Which address spaces a change of the tree can reach, and where.

Three notes are kept up to date, so that a commit costs what its change costs:

* **Routes**: :mod:`guestmap.memory.map.routes`.
* **Liveness**: :mod:`guestmap.memory.map.liveness`. Marking walks up through live regions only.
* **Marks.** Every mutation marks the windows of the views that it can change, before and after.

Primitive mutations (:meth:`Topology.assign`, ``link``, ``unlink``) note their inverse in a journal,
from which a failed transaction is undone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import ADDRESS_SPACE_SIZE, ConfigError
from guestmap.memory.map.assignment import put
from guestmap.memory.map.liveness import ref_live, unref_live
from guestmap.memory.map.region import MemoryRegion
from guestmap.memory.map.routes import attach, detach, next_hop, spaces_through
from guestmap.memory.map.view_root import ViewRoot

if TYPE_CHECKING:
    from guestmap.memory.map.space import ViewedSpace
    from guestmap.memory.map.transaction import Transactions

_MAX_WALK = 20_000
"""Steps of one marking walk, after which whole views are marked (aliases of aliases of ...)."""

_SHORT_WALK = 16
"""Steps that are not noted: nearly every walk ends before it could come anywhere again."""

_MOVES = frozenset({"addr", "size"})
_REROUTES = frozenset({"enabled", "addr", "size", "alias_offset"})


class Topology:
    """The notes on one machine's tree, and the mutations that keep them."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self.roots: dict[MemoryRegion | None, ViewRoot] = {}
        self.dirty: dict[ViewRoot, None] = {}
        self.rerouted: dict[ViewedSpace, None] = {}
        self.left: list[ViewRoot] = []
        self._next_order = 0

    # -- primitive mutations ---------------------------------------------------------------------

    def assign(self, region: MemoryRegion, name: str, value: int | bool) -> None:
        """Set one attribute of ``region`` in a transaction; nothing happens if it is the same."""
        transactions = self._transactions
        if transactions.closed:
            region.check_open()
        old = getattr(region, name)
        if old == value:
            return
        with transactions.mutation():
            transactions.note(self._assign, region, name, old)
            self._assign(region, name, value)

    def link(self, parent: MemoryRegion, child: MemoryRegion, addr: int, priority: int) -> None:
        """Make ``child`` the newest subregion of ``parent`` with that priority."""
        with self._transactions.mutation():
            self._next_order += 1
            self._transactions.note(self._unlink, child, child.addr, child._order)
            self._link(parent, child, addr, (-priority, -self._next_order))

    def move(self, child: MemoryRegion, addr: int) -> None:
        """Put a subregion elsewhere in its container, and before its equals."""
        transactions = self._transactions
        if transactions.closed:
            child.check_open()
        self._next_order += 1
        order = (child._order[0], -self._next_order)
        with transactions.mutation():
            transactions.note(self._move, child, child.addr, child._order)
            self._move(child, addr, order)

    def unlink(self, child: MemoryRegion) -> None:
        """Take ``child`` out of its container."""
        child.check_open()
        with self._transactions.mutation():
            place = child.addr, child._order
            self._transactions.note(self._link, child.container, child, *place)
            self._unlink(child, *place)

    def _assign(self, region: MemoryRegion, name: str, value: int | bool) -> None:
        shows = region.enabled or name == "enabled"
        if shows:
            self.mark(region)
        siblings = region.container.children if region.container and name in _MOVES else None
        if siblings is not None:
            siblings.remove(region)
        put(region, name, value)
        if siblings is not None:
            siblings.add(region)
        if shows and name in _MOVES:
            self.mark(region)
        if name in _REROUTES:
            self._reroute(region)
        if name == "size":
            for alias in tuple(region._route_aliases):
                self._reroute(alias)

    def _link(
        self, parent: MemoryRegion, child: MemoryRegion, addr: int, order: tuple[int, int]
    ) -> None:
        self._place(child, addr, order)
        put(child, "container", parent)
        parent.children.add(child)
        if parent._live:
            ref_live(child)
        if child.enabled:
            self.mark(child)
        self._reroute(child)

    def _move(self, child: MemoryRegion, addr: int, order: tuple[int, int]) -> None:
        container = child.container
        assert container is not None
        if child.enabled:
            self.mark(child)
        container.children.remove(child)
        put(child, "addr", addr)
        put(child, "_order", order)
        container.children.add(child)
        if child.enabled:
            self.mark(child)
        self._reroute(child)

    def _unlink(self, child: MemoryRegion, addr: int, order: tuple[int, int]) -> None:
        if child.enabled:
            self.mark(child)
        parent = child.container
        assert parent is not None
        parent.children.remove(child)
        put(child, "container", None)
        if parent._live:
            unref_live(child, self.roots)
        self._place(child, addr, order)
        self._reroute(child)
        self._reroute(parent)

    def _place(self, child: MemoryRegion, addr: int, order: tuple[int, int]) -> None:
        """Give a region without a container its address and rank; it may be a view's root."""
        moves = child.enabled and child.addr != addr
        if moves:
            self.mark(child)
        put(child, "addr", addr)
        put(child, "priority", -order[0])
        put(child, "_order", order)
        if moves:
            self.mark(child)

    # -- marks -----------------------------------------------------------------------------------

    def mark(self, region: MemoryRegion) -> None:  # noqa: C901  (one loop, without a call for each)
        """Mark all that ``region`` can show, wherever it can show, for rendering."""
        if not region._live:
            return
        seen: set[tuple[MemoryRegion, int, int]] = set()
        short = _SHORT_WALK
        todo = [(region, 0, region.size)]
        while todo:
            each, lo, hi = todo.pop()
            if lo < 0:
                lo = 0
            if hi > each.size:
                hi = each.size
            if lo >= hi:
                continue
            if short:
                short -= 1
            elif (step := (each, lo, hi)) in seen:
                continue
            else:
                seen.add(step)
                if len(seen) > _MAX_WALK:
                    self.mark_everything()
                    return
            root = self.roots.get(each)
            if root is not None:
                self.dirty[root] = None
                root.mark(each.addr + lo, min(each.addr + hi, ADDRESS_SPACE_SIZE))
            parent = each.container
            if parent is not None and parent.enabled and parent._live:
                todo.append((parent, lo + each.addr, hi + each.addr))
            for alias in each._live_aliases:
                if alias.enabled:
                    shift = alias.alias_offset
                    if hi > shift and lo < shift + alias.size:
                        todo.append((alias, lo - shift, hi - shift))

    def mark_everything(self) -> None:
        """Mark all of every view."""
        for root in self.roots.values():
            self.dirty[root] = None
            root.mark(0, ADDRESS_SPACE_SIZE)

    def forget_plans(self) -> None:
        """Let the dispatcher find out anew how to access each device."""
        for root in tuple(self.roots.values()):
            root.view.plans = {}

    # -- routes ----------------------------------------------------------------------------------

    def _reroute(self, region: MemoryRegion) -> None:
        for each in (region, region.container):
            if each is None or not each._upstream:
                continue
            hop = next_hop(each)
            if hop is each._hop:
                continue
            old = each._hop
            put(each, "_hop", hop)
            if old is not None and old is not each:
                detach(each, old)
            if hop is not None and hop is not each:
                attach(each, hop)
            for space in spaces_through(each):
                self.rerouted[space] = None

    def root_of(self, region: MemoryRegion | None) -> ViewRoot:
        """Return the view root that a route starting at ``region`` ends at, made if it is new.

        Raises:
            ConfigError: the route goes round in a circle.
        """
        passed: set[MemoryRegion] = set()
        while region is not None and region._hop is not region:
            if region in passed:
                raise ConfigError(
                    f"region {region.name!r} shows nothing but itself, through aliases:"
                    " no view of it would ever end"
                )
            passed.add(region)
            region = region._hop
        root = self.roots.get(region)
        if root is None:
            root = self.roots[region] = ViewRoot(region)
            if region is not None:
                ref_live(region)
            root.mark(0, ADDRESS_SPACE_SIZE)
            self.dirty[root] = None
        return root

    def shows(self, region: MemoryRegion) -> bool:
        """Tell whether an address space or an alias shows a region that is in no container.

        What was the root of a view until this very transaction does not count as shown.
        """
        leaving = region in self.roots and not region._upstream
        return region._live > leaving

    def settle(self) -> None:
        """Forget all marks, and the view roots that no address space leads to."""
        for root in self.dirty:
            root.unmark()
        for root in [*self.dirty, *self.left]:
            if not root.users and self.roots.get(root.region) is root:
                del self.roots[root.region]
                if root.region is not None:
                    unref_live(root.region, self.roots)
        self.dirty.clear()
        self.left.clear()
        self.rerouted.clear()
