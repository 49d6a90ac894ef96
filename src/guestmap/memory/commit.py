"""The commit: render what is marked, tell the listeners, publish; or leave all as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from guestmap.memory.flatview import FlatView
from guestmap.memory.history import ViewChange
from guestmap.memory.telling import Telling
from guestmap.memory.view_root import Patch, ViewRoot

if TYPE_CHECKING:
    from guestmap.memory.address_space import AddressSpace
    from guestmap.memory.audience import Audience
    from guestmap.memory.topology import Topology


class Commit(NamedTuple):
    """What one commit is going to change. Making it changes nothing that a reader can see.

    Attributes:
        moves: address spaces that are to show another root's view.
        news: roots whose view changes: the new view, and where it differs.
        rerouted: names of the spaces in ``moves`` that showed something before, and will after.
        told: whether there is anything that a listener can notice.
    """

    moves: dict[AddressSpace, ViewRoot]
    news: dict[ViewRoot, tuple[FlatView, list[Patch]]]
    rerouted: tuple[str, ...]
    told: bool

    @classmethod
    def prepare(
        cls,
        topology: Topology,
        removed: dict[AddressSpace, None],
        nowhere: ViewRoot,
        generation: int,
    ) -> Commit:
        """Find the roots of rerouted address spaces and render the marked windows.

        Args:
            topology: the marks.
            removed: address spaces that go.
            nowhere: the root of address spaces that are not there yet, or no more.
            generation: of the views to come.

        Raises:
            ConfigError: a view would never end.
        """
        moves: dict[AddressSpace, ViewRoot] = {}
        for space in topology.rerouted:
            root = nowhere if space in removed else topology.root_of(space.root)
            if root is not space.source:
                moves[space] = root
        gaining = set(moves.values())
        news: dict[ViewRoot, tuple[FlatView, list[Patch]]] = {}
        for root in topology.dirty:
            if root in gaining or any(space not in moves for space in root.users):
                view, patches = root.rerendered(generation)
                if patches:
                    news[root] = (view, patches)
        rerouted = tuple(
            space.name
            for space, root in moves.items()
            if space.source is not nowhere and root is not nowhere
        )
        told = bool(rerouted) or any(r.users for r in news) or any(s.listeners for s in moves)
        return cls(moves, news, rerouted, told)

    def tell(self, telling: Telling, audience: Audience) -> None:
        """Tell what goes and what comes, space by space, oldest space first."""
        telling.begin(audience.listeners)
        for space in audience.spaces:
            view = space.source.view
            root = self.moves.get(space, space.source)
            news = self.news.get(root)
            if space in self.moves:
                new = news[0] if news else root.view
                telling.patches(space, [Patch(view.ranges, new.ranges)], view, new)
            elif news:
                telling.patches(space, news[1], view, news[0])

    def inverse(self) -> Commit:
        """Return the commit that takes this one back, if it is made before this is published."""
        return Commit(
            {space: space.source for space in self.moves},
            {root: (root.view, []) for root in self.news},
            (),
            True,
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

    def changes(self) -> tuple[ViewChange, ...]:
        """Return the differences as values, for the history."""
        return tuple(
            ViewChange(
                root.region.name if root.region is not None else "(none)",
                tuple(r for p in patches for r in p.old),
                tuple(r for p in patches for r in p.new),
            )
            for root, (_, patches) in self.news.items()
        )
