"""What the trees of a draft show, each rendered once however often it is asked about."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from guestmap.inspect.map.shown import fill
from guestmap.inspect.map.views import physical_root
from guestmap.inspect.map.ways import Way, walk
from guestmap.inspect.text.rebuild.compare import differences

if TYPE_CHECKING:
    from guestmap.inspect.map.shown import Shown
    from guestmap.inspect.map.snapshot import RegionInfo, Snapshot
    from guestmap.inspect.text.rebuild.compare import ComparedRange
    from guestmap.inspect.text.rebuild.draft import Draft
    from guestmap.inspect.text.rebuild.pairing import Pair


class Rendered:
    """The trees as they were at one state of a draft.

    Attributes:
        changes: which state.
    """

    def __init__(self, draft: Draft) -> None:
        self.changes = draft.changes
        self._snapshot = draft.current()
        self._trees: dict[int, _Tree] = {}
        self._leads: dict[int, int] = {}
        self._differences: dict[tuple[int, int], list[ComparedRange]] = {}

    def brought_up_to(self, draft: Draft) -> Rendered:
        """Return the trees as the draft has them now: these, where nothing has changed."""
        return self if self.changes == draft.changes else Rendered(draft)

    def ways(self, root: int) -> list[Way]:
        """Return all ways below a root through enabled regions, in rendering order."""
        return self._tree(root).ways

    def differences(self, pair: Pair) -> list[ComparedRange]:
        """Return the pieces in which the tree does not show what the view does."""
        root = self.leads_to(pair.root)
        key = root, id(pair.view)  # the snapshot holds the view, so the id stays its own
        if key not in self._differences:
            shown = self._tree(root).shown
            self._differences[key] = list(differences(shown, pair.view.ranges))
        return self._differences[key]

    def leads_to(self, root: int) -> int:
        """Return the region below which all is seen that is seen from a root, and as it is there.

        Many address spaces are windows of the same region: that is looked at once.
        """
        if root not in self._leads:
            self._leads[root] = self._led(root)
        return self._leads[root]

    def heads(self, root: int) -> list[Way]:
        """Return the ways to the regions above the one that a root leads to, the root's first."""
        return self._heads(root, self.leads_to(root))

    def _heads(self, root: int, target: int) -> list[Way]:
        heads: list[Way] = []
        base = self._snapshot.regions[root].addr
        region = self._snapshot.regions[root]
        while region.id != target:
            heads.append(Way(region, base, heads[-1] if heads else None))
            below = _only(self._snapshot, region) if region.alias is None else region.alias
            region = self._snapshot.regions[below]
        return heads

    def _led(self, root: int) -> int:
        target = physical_root(self._snapshot, root)
        regions = self._snapshot.regions
        if target is None or regions[target].addr != regions[root].addr:
            return root
        heads = self._heads(root, target)
        return root if any(way.readonly or way.nonvolatile for way in heads) else target

    def _tree(self, root: int) -> _Tree:
        if root not in self._trees:
            self._trees[root] = _Tree(self._snapshot, root)
        return self._trees[root]


def _only(snapshot: Snapshot, container: RegionInfo) -> int:
    """Return the one enabled subregion of a container that leads to it."""
    return next(child for child in container.children if snapshot.regions[child].enabled)


class _Tree:
    """What is below one root."""

    def __init__(self, snapshot: Snapshot, root: int) -> None:
        self.ways = list(walk(snapshot, root, disabled=False))

    @cached_property
    def shown(self) -> list[Shown]:
        return fill(self.ways)
