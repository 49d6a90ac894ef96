"""What the trees of a draft show, each rendered once however often it is asked about."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from guestmap.inspect.paths import fill, walk
from guestmap.inspect.rebuild.compare import differences

if TYPE_CHECKING:
    from guestmap.inspect.paths import Shown, Way
    from guestmap.inspect.rebuild.compare import Piece
    from guestmap.inspect.rebuild.draft import Draft
    from guestmap.inspect.rebuild.pairing import Pair
    from guestmap.inspect.snapshot import Snapshot


class Rendered:
    """The trees as they were at one state of a draft.

    Attributes:
        changes: which state.
    """

    def __init__(self, draft: Draft) -> None:
        self.changes = draft.changes
        self._snapshot = draft.current()
        self._trees: dict[int, _Tree] = {}
        self._differences: dict[tuple[int, int], list[Piece]] = {}

    def brought_up_to(self, draft: Draft) -> Rendered:
        """Return the trees as the draft has them now: these, where nothing has changed."""
        return self if self.changes == draft.changes else Rendered(draft)

    def ways(self, root: int) -> list[Way]:
        """Return all ways below a root through enabled regions, in rendering order."""
        return self._tree(root).ways

    def differences(self, pair: Pair) -> list[Piece]:
        """Return the pieces in which the tree does not show what the view does."""
        key = pair.root, id(pair.view)  # the snapshot holds the view, so the id stays its own
        if key not in self._differences:
            shown = self._tree(pair.root).shown
            self._differences[key] = list(differences(shown, pair.view.ranges))
        return self._differences[key]

    def _tree(self, root: int) -> _Tree:
        if root not in self._trees:
            self._trees[root] = _Tree(self._snapshot, root)
        return self._trees[root]


class _Tree:
    """What is below one root."""

    def __init__(self, snapshot: Snapshot, root: int) -> None:
        self.ways = list(walk(snapshot, root, disabled=False))

    @cached_property
    def shown(self) -> list[Shown]:
        return fill(self.ways)
