"""A snapshot under work: open facts are set one by one, and how sure each is, is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from guestmap.inspect.map.snapshot import RegionInfo, Snapshot, Sureness


class Draft:
    """The regions of a snapshot, and how sure the facts are that its source did not state.

    A fact is a field of a region, by id and name. What the source stated is ``proven``.

    Attributes:
        changes: how often a fact was changed.
        opens: names of the facts that are, or were, open in any region.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.source = snapshot
        self.regions: list[RegionInfo] = list(snapshot.regions)
        self._sureness: list[dict[str, Sureness]] = [
            dict.fromkeys(region.inferred, "guess") for region in snapshot.regions
        ]
        self.opens = {name for each in self._sureness for name in each}
        self._orders: dict[int, dict[tuple[int, int], Sureness]] = {}
        self._unsorted: dict[int, None] = {}
        self.changes = 0

    def sureness(self, region: int, name: str) -> Sureness:
        """Return how sure a fact is."""
        return self._sureness[region].get(name, "proven")

    def is_open(self, region: int, name: str) -> bool:
        """Tell whether a fact may be set."""
        return self.sureness(region, name) != "proven"

    def set(self, region: int, name: str, value: Any, sureness: Sureness) -> None:
        """Set a fact, whether it was open or not."""
        self._sureness[region][name] = sureness
        self.opens.add(name)
        if getattr(self.regions[region], name) != value:
            self.regions[region] = msgspec.structs.replace(self.regions[region], **{name: value})
            self.changes += 1

    def put_before(self, container: int, child: int, other: int, sureness: Sureness) -> None:
        """Make ``child`` newer than ``other``, a sibling of equal priority.

        :meth:`sort_siblings` has it done: of thousands of pairs, once.
        """
        if container not in self._orders:
            self._orders[container] = self._printed_orders(container)
        orders = self._orders[container]
        orders.pop((other, child), None)
        orders[child, other] = sureness
        self._unsorted[container] = None

    def sort_siblings(self) -> None:
        """Bring siblings into the order that was asked for.

        What is proven is kept, and else as much as can be of what was set as a guess. That the
        whole order is proven is not said by one pair.
        """
        for container in self._unsorted:
            children = self.source.regions[container].children
            orders = self._orders[container]
            for surest in (False, True):
                known = (pair for pair, sure in orders.items() if not surest or sure == "proven")
                children = _sorted(children, known)
            if children != self.regions[container].children:
                self.set(container, "children", children, "guess")
        self._unsorted.clear()

    def _printed_orders(self, container: int) -> dict[tuple[int, int], Sureness]:
        """Return what print order tells: equal address and priority are printed in list order."""
        children = [self.source.regions[child] for child in self.source.regions[container].children]
        last: dict[tuple[int, int], int] = {}
        orders: dict[tuple[int, int], Sureness] = {}
        for child in children:
            place = child.priority, child.addr
            if place in last:
                orders[last[place], child.id] = "proven"
            last[place] = child.id
        return orders

    def prove(self, region: int, name: str) -> None:
        """Note that a flat view shows a fact to be as it is."""
        if name in self._sureness[region]:
            self._sureness[region][name] = "proven"

    def current(self) -> Snapshot:
        """Return the snapshot as it is now, with the doubts that the source began with."""
        self.sort_siblings()
        return replace(self.source, regions=tuple(self.regions))

    def snapshot(self) -> Snapshot:
        """Return the snapshot as it is now; ``inferred`` names what is not proven."""
        self.sort_siblings()
        return replace(self.source, regions=tuple(map(self._with_doubts, self.regions)))

    def _with_doubts(self, region: RegionInfo) -> RegionInfo:
        sureness = self._sureness[region.id]
        if not sureness:
            return region
        doubts = {n: s for n, s in sorted(sureness.items()) if s != "proven"}
        return msgspec.structs.replace(
            region, inferred=tuple(doubts), sureness=tuple(doubts.values())
        )


def _sorted(children: Sequence[int], orders: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """Return children as they are, but of each pair in ``orders`` the first comes first."""
    before: dict[int, list[int]] = {}
    for first, second in orders:
        before.setdefault(second, []).append(first)
    placed: dict[int, None] = {}
    begun: set[int] = set()
    todo = list(reversed(children))
    while todo:
        child = todo[-1]
        missing = [each for each in before.get(child, ()) if each not in begun]
        if child not in begun and missing:
            begun.add(child)
            todo += missing
            continue
        begun.add(todo.pop())
        placed.setdefault(child)
    return tuple(placed)
