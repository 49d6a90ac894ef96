"""The commit: render what is marked, let it be told, publish; or leave all as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import ADDRESS_SPACE_SIZE
from guestmap.base.named_tuple import NamedTuple
from guestmap.memory.map.flatview import FlatView
from guestmap.memory.map.hearing import SpaceChange
from guestmap.memory.map.history import ViewChange
from guestmap.memory.map.view_root import Patch, ViewRoot

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from guestmap.memory.map.space import ViewedSpace
    from guestmap.memory.map.topology import Topology


class PendingCommit(NamedTuple):
    """What one commit is going to change. Making it changes nothing that a reader can see.

    Attributes:
        moves: address spaces that are to show another root's view.
        news: roots whose view changes: the new view, and where it differs.
        rerouted: names of the spaces in ``moves`` that showed something before, and will after.
    """

    moves: dict[ViewedSpace, ViewRoot]
    news: dict[ViewRoot, tuple[FlatView, list[Patch]]]
    rerouted: tuple[str, ...]

    @classmethod
    def prepare(
        cls,
        topology: Topology,
        removed: dict[ViewedSpace, None],
        nowhere: ViewRoot,
        generation: int,
    ) -> PendingCommit:
        """Find the roots of rerouted address spaces and render the marked windows.

        Args:
            topology: the marks.
            removed: address spaces that go.
            nowhere: the root of address spaces that are not there yet, or no more.
            generation: of the views to come.

        Raises:
            ConfigError: a view would never end.
        """
        moves: dict[ViewedSpace, ViewRoot] = {}
        for space in topology.rerouted:
            root = nowhere if space in removed else topology.root_of(space.root)
            if root is not space.source:
                moves[space] = root
        gaining = set(moves.values())
        news: dict[ViewRoot, tuple[FlatView, list[Patch]]] = {}
        for root in topology.dirty:
            if root in gaining or not root.users.keys() <= moves.keys():
                view, patches = root.rerendered(generation)
                if patches:
                    news[root] = (view, patches)
        rerouted = tuple(
            space.name
            for space, root in moves.items()
            if space.source is not nowhere and root is not nowhere
        )
        return cls(moves, news, rerouted)

    def shows(self, heard: Collection[ViewedSpace]) -> bool:
        """Tell whether there is anything that a listener to one of these spaces can notice."""
        return (
            bool(self.rerouted)
            or any(root.users for root in self.news)
            or any(space in heard for space in self.moves)
        )

    def changes(self, topology: Topology, spaces: Iterable[ViewedSpace]) -> list[SpaceChange]:
        """Return what happens to those of ``spaces`` that the commit looked at."""
        found: list[SpaceChange] = []
        for space in spaces:
            source = space.source
            old = source.view
            if space in self.moves:
                root = self.moves[space]
                new = self.news[root][0] if root in self.news else root.view
                whole = [Patch(old.ranges, new.ranges)]
                found.append(SpaceChange(space, old, new, whole, [(0, ADDRESS_SPACE_SIZE)]))
            elif source in topology.dirty:
                new, patches = self.news.get(source, (old, []))
                found.append(SpaceChange(space, old, new, patches, source.windows))
        return found

    def inverse(self) -> PendingCommit:
        """Return the commit that takes this one back, if it is made before this is published."""
        return PendingCommit(
            {space: space.source for space in self.moves},
            {root: (root.view, []) for root in self.news},
            (),
        )

    def publish(self, topology: Topology) -> None:
        """Let readers see it."""
        for root, (view, _) in self.news.items():
            root.view = view
        for space, root in self.moves.items():
            topology.left.append(space.source)
            space.source.users.pop(space, None)
            root.users[space] = None
            space.source = root

    def differences(self) -> tuple[ViewChange, ...]:
        """Return what changed as values, for the history."""
        found: list[ViewChange] = []
        for root, (_, patches) in self.news.items():
            name = root.region.name if root.region is not None else "(none)"
            old = tuple([r for p in patches for r in p.old])
            found.append(ViewChange(name, old, tuple([r for p in patches for r in p.new])))
        return tuple(found)
