"""What the map expects of those who hear of its commits; who they are is none of its business."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from guestmap.base.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.memory.map.flatview import FlatView
    from guestmap.memory.map.history import CommitRecord, ListenerWork
    from guestmap.memory.map.space import ViewedSpace
    from guestmap.memory.map.view_root import Patch


class SpaceChange(NamedTuple):
    """What a commit does to one address space.

    Attributes:
        space: whose listeners are to be told.
        old, new: its views before and after; the same where only the windows count.
        patches: where the two differ, lowest address first.
        windows: the addresses that the commit looked at: sorted, and no two touch.
    """

    space: ViewedSpace
    old: FlatView
    new: FlatView
    patches: Sequence[Patch]
    windows: Sequence[tuple[int, int]]


class Round(Protocol):
    """One round of callbacks."""

    @property
    def work(self) -> ListenerWork:
        """How many callbacks were made."""

    def tell(self, changes: Sequence[SpaceChange], *, shown: bool) -> None:
        """Tell what goes and what comes, space by space.

        Args:
            changes: of the address spaces that somebody listens to, oldest space first.
            shown: whether any view changes, of these address spaces or of others.

        Raises:
            Exception: whatever a listener raises, which refuses the commit.
        """

    def commit(self) -> None:
        """Close the round: the new views are published."""

    def take_back(self, error: BaseException) -> None:
        """Close the round, and tell the opposite of it; ``error`` says why and gets notes."""


class Hearers(Protocol):
    """Everybody who hears of one machine's commits.

    Attributes:
        spaces: the address spaces that somebody listens to, oldest first.
    """

    spaces: list[ViewedSpace]

    @property
    def wants_records(self) -> bool:
        """Whether there is anybody for :meth:`publish` to tell."""

    def round(self) -> Round:
        """Return a new round of callbacks."""

    def leave(self, space: ViewedSpace) -> None:
        """Forget, without a word, whoever listens to a space that shows nothing any more."""

    def publish(self, record: CommitRecord) -> None:
        """Tell those who want to know of each commit, after it."""
