"""A snapshot under work: open facts are set one by one, and how sure each is, is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guestmap.inspect.snapshot import RegionInfo, Snapshot, Sureness


class Draft:
    """The regions of a snapshot, and how sure the facts are that its source did not state.

    A fact is a field of a region, by id and name. What the source stated is ``proven``.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.source = snapshot
        self.regions: list[RegionInfo] = list(snapshot.regions)
        self._sureness: list[dict[str, Sureness]] = [
            dict.fromkeys(region.inferred, "guess") for region in snapshot.regions
        ]
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
        if getattr(self.regions[region], name) != value:
            self.regions[region] = replace(self.regions[region], **{name: value})
            self.changes += 1

    def put_before(self, container: int, child: int, other: int, sureness: Sureness) -> None:
        """Make ``child`` newer than ``other``, a sibling of equal priority."""
        children = list(self.regions[container].children)
        if children.index(child) > children.index(other):
            children.remove(child)
            children.insert(children.index(other), child)
            self.set(container, "children", tuple(children), sureness)

    def prove(self, region: int, name: str) -> None:
        """Note that a flat view shows a fact to be as it is."""
        if name in self._sureness[region]:
            self._sureness[region][name] = "proven"

    def snapshot(self) -> Snapshot:
        """Return the snapshot as it is now; ``inferred`` names what is not proven."""
        return replace(
            self.source, regions=tuple(self._with_doubts(region) for region in self.regions)
        )

    def _with_doubts(self, region: RegionInfo) -> RegionInfo:
        doubts = {n: s for n, s in sorted(self._sureness[region.id].items()) if s != "proven"}
        return replace(region, inferred=tuple(doubts), sureness=tuple(doubts.values()))
