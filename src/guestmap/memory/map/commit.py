"""The commit: render what is marked, tell the listeners, publish; or leave all as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from guestmap.base import ADDRESS_SPACE_SIZE
from guestmap.memory.hear.ioeventfd import BellChange, update
from guestmap.memory.hear.notify import Telling
from guestmap.memory.map.flatview import FlatView
from guestmap.memory.map.history import ViewChange
from guestmap.memory.map.view_root import Patch, ViewRoot

if TYPE_CHECKING:
    from guestmap.memory.access.address_space import AddressSpace
    from guestmap.memory.hear.listeners import Audience
    from guestmap.memory.map.topology import Topology


class Commit(NamedTuple):
    """What one commit is going to change. Making it changes nothing that a reader can see.

    Attributes:
        moves: address spaces that are to show another root's view.
        news: roots whose view changes: the new view, and where it differs.
        rerouted: names of the spaces in ``moves`` that showed something before, and will after.
        told: whether there is anything that a listener can notice, but for bells.
        bells: I/O event descriptors that change, for the address spaces that are asked about them.
    """

    moves: dict[AddressSpace, ViewRoot]
    news: dict[ViewRoot, tuple[FlatView, list[Patch]]]
    rerouted: tuple[str, ...]
    told: bool
    bells: dict[AddressSpace, BellChange]

    @classmethod
    def prepare(
        cls,
        topology: Topology,
        removed: dict[AddressSpace, None],
        nowhere: ViewRoot,
        generation: int,
        audience: Audience,
    ) -> Commit:
        """Find the roots of rerouted address spaces and render the marked windows.

        Args:
            topology: the marks.
            removed: address spaces that go.
            nowhere: the root of address spaces that are not there yet, or no more.
            audience: who listens, and to what.
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
        commit = cls(moves, news, rerouted, told, {})
        for space in audience.bell_spaces:
            change = commit._bells_of(space, topology)
            if change.gone or change.come:
                commit.bells[space] = change
        return commit

    def _bells_of(self, space: AddressSpace, topology: Topology) -> BellChange:
        new, root = self._view_of(space), space.source
        if space in self.moves:
            return update(space, new, [(0, ADDRESS_SPACE_SIZE)])
        return update(space, new, root.windows if root in topology.dirty else [])

    def _view_of(self, space: AddressSpace) -> FlatView:
        """Return the view that ``space`` is going to show."""
        root = self.moves.get(space, space.source)
        return self.news[root][0] if root in self.news else root.view

    def tell(self, telling: Telling, audience: Audience) -> None:
        """Tell what goes and what comes, space by space, oldest space first.

        First those are asked who may refuse it beforehand.
        """
        for space in audience.checked_spaces:
            telling.check(space, self._patches_of(space), space.source.view)
        if self.told:
            telling.begin(audience.listeners)
        for space in audience.spaces:
            view, new = space.source.view, self._view_of(space)
            if patches := self._patches_of(space):
                telling.patches(space, patches, view, new)
            if space in self.bells:
                telling.bells(space, self.bells[space], new)

    def _patches_of(self, space: AddressSpace) -> list[Patch]:
        """Return where ``space`` is going to show something else."""
        if space in self.moves:
            return [Patch(space.source.view.ranges, self._view_of(space).ranges)]
        return self.news[space.source][1] if space.source in self.news else []

    def inverse(self) -> Commit:
        """Return the commit that takes this one back, if it is made before this is published."""
        return Commit(
            {space: space.source for space in self.moves},
            {root: (root.view, []) for root in self.news},
            (),
            True,
            {space: BellChange([], [], space.ioeventfds) for space in self.bells},
        )

    def publish(self, topology: Topology) -> None:
        """Let readers see it."""
        for root, (view, _) in self.news.items():
            root.view = view
        for space, change in self.bells.items():
            space.ioeventfds = change.all
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
