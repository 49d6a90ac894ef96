"""The address spaces of a map, each with a name of its own, and what each shows.

QEMU names a device's address space after the device's type, so two cards of one type give two of
one name: then they are called ``nic`` and ``nic#2`` here, in the order of the source (``nic#1`` is
understood, too).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.inspect.map.views import flat, physical_root
from guestmap.inspect.text.rebuild.pairing import pair

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from guestmap.inspect.map.snapshot import RangeInfo, Snapshot, ViewInfo

DEFAULT = "memory"
"""What the CPUs see; what is asked about where nothing is named."""


@dataclass(frozen=True, slots=True)
class NamedSpace:
    """An address space, or a tree or a view whose heading the source does not have.

    Attributes:
        name: unlike that of any other space: ``NAME``, or ``NAME#N`` for the N-th of a name.
        plain: the name as the source has it.
        root: id of the region that it sees; None where the source has no trees.
        view: what the source itself says it shows; None where it does not.
        owner: the device that it belongs to (``nic0``); None where not known.
        is_lone: it is no address space, but a region or view without one.
    """

    name: str
    plain: str
    root: int | None
    view: ViewInfo | None
    owner: str | None = None
    is_lone: bool = False


class Spaces:
    """All address spaces of a snapshot, in the order of the source."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._rendered: dict[int | None, tuple[RangeInfo, ...]] = {}

    @cached_property
    def all(self) -> tuple[NamedSpace, ...]:
        """Every space."""
        count: Counter[str] = Counter()
        found: list[NamedSpace] = []
        for plain, root, view, is_lone in _sources(self._snapshot):
            count[plain] += 1
            name = plain if count[plain] == 1 else f"{plain}#{count[plain]}"
            owner = None if root is None else _owner(self._snapshot, root)
            found.append(NamedSpace(name, plain, root, view, owner, is_lone))
        return tuple(found)

    @property
    def is_one_lone(self) -> bool:
        """Whether all there is is one view or tree without a heading."""
        return len(self.all) == 1 and self.all[0].is_lone

    def named(self, asked: str) -> list[NamedSpace]:
        """Return the spaces that a name means: one by ``NAME#N``, all of a ``NAME``.

        The default is also what a map's only tree or view is called, whatever its name.

        Raises:
            ConfigError: there is none; says which there are.
        """
        exact = [each for each in self.all if each.name == asked and each.plain != asked]
        named = exact or [each for each in self.all if each.plain == asked]
        if not named and asked.endswith("#1"):
            named = [each for each in self.all if each.name == asked.removesuffix("#1")]
        if not named and asked == DEFAULT and self.is_one_lone:
            return [self.all[0]]
        if not named:
            raise self._unknown(asked)
        return named

    def twin_of(self, lone: NamedSpace) -> NamedSpace | None:
        """Return what a view or tree without a heading is most likely of; None: nothing here.

        It is the space with a root of that name, else the default, else the only one.
        """
        rooted = [
            each
            for each in self.all
            if (each.view is not None and each.view.root == lone.plain)
            or (each.root is not None and self._snapshot.regions[each.root].name == lone.plain)
        ]
        defaults = [each for each in self.all if each.plain == DEFAULT]
        only = self.all if len(self.all) == 1 else ()
        return next(
            (found for each in (rooted, defaults, only) for found in _default_first(each)), None
        )

    def find(self, asked: str) -> NamedSpace:
        """Return the space that somebody names; of several that show the same, the first.

        Raises:
            ConfigError: there is none, or several that show different things; says which.
        """
        named = self.named(asked)
        if any(self.ranges(each) != self.ranges(named[0]) for each in named[1:]):
            raise ConfigError(
                f"there are {len(named)} address spaces {asked!r}, which show different things:"
                f" name one: {', '.join(map(self._described, named))}"
            )
        return named[0]

    def ranges(self, space: NamedSpace) -> tuple[RangeInfo, ...]:
        """Return what a space shows: as the source said, or else as its tree implies."""
        if space.view is not None:
            return space.view.ranges
        root = None if space.root is None else physical_root(self._snapshot, space.root)
        if root not in self._rendered:
            self._rendered[root] = () if root is None else flat(self._snapshot, root)
        return self._rendered[root]

    def _described(self, space: NamedSpace) -> str:
        name = f"{space.plain}#1" if space.name == space.plain else space.name
        count = len(self.ranges(space))
        what = f"{count} range{'s' * (count > 1)}" if count else "shows nothing"
        return f"{name} ({space.owner}, {what})" if space.owner else f"{name} ({what})"

    def _unknown(self, asked: str) -> ConfigError:
        names = sorted({each.name for each in self.all})
        by_fold = {_folded(name): name for name in names}
        close = [repr(by_fold[each]) for each in get_close_matches(_folded(asked), by_fold, n=2)]
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        return ConfigError(
            f"there is no address space {asked!r}; {hint}there are: {', '.join(names) or 'none'}"
        )


def view_of(snapshot: Snapshot, space: str) -> tuple[RangeInfo, ...]:
    """Return what the space of a name shows.

    Raises:
        ConfigError: see :meth:`Spaces.find`.
    """
    spaces = Spaces(snapshot)
    return spaces.ranges(spaces.find(space))


def _default_first(spaces: Sequence[NamedSpace]) -> list[NamedSpace]:
    return sorted(spaces, key=lambda each: each.plain != DEFAULT)


def _folded(name: str) -> str:
    return name.casefold().replace("/", "")


def _sources(snapshot: Snapshot) -> Iterator[tuple[str, int | None, ViewInfo | None, bool]]:
    """Yield name, root, own view, and whether it has no heading of its own."""
    if snapshot.address_spaces:
        views = _own_views(snapshot)
        for index, space in enumerate(snapshot.address_spaces):
            yield space.name, space.root, views[index], False
    elif snapshot.views:
        for view in snapshot.views:
            for user in view.users:
                yield user.name, None, view, False
            if not view.users:
                yield view.root or "view", None, view, True
    else:
        for root in _lone_roots(snapshot):
            yield snapshot.regions[root].name, root, None, True


def _own_views(snapshot: Snapshot) -> list[ViewInfo | None]:
    """Return by index of the address spaces the views that the source itself has for them."""
    by_name: dict[str, list[ViewInfo]] = {}
    for view in snapshot.views:
        for name in {user.name for user in view.users}:
            by_name.setdefault(name, []).append(view)
        if not view.users and len(snapshot.views) == 1:
            by_name.setdefault(DEFAULT, []).append(view)  # pasted without its heading
    if all(len(views) == 1 for views in by_name.values()):
        return [by_name.get(space.name, [None])[0] for space in snapshot.address_spaces]
    by_root = {each.root: each.view for each in pair(snapshot)}
    return [
        found[0] if len(found := by_name.get(space.name, [])) == 1 else by_root.get(space.root)
        for space in snapshot.address_spaces
    ]


def _lone_roots(snapshot: Snapshot) -> list[int]:
    """Return the regions that nothing holds or shows: a text's trees without an address space."""
    shown = {region.alias for region in snapshot.regions if region.alias is not None}
    roots = [each.id for each in snapshot.regions if each.id not in snapshot.containers]
    return [root for root in roots if root not in shown] or roots


def _owner(snapshot: Snapshot, root: int) -> str | None:
    """Return the id or path of the device that owns an address space's root."""
    words = snapshot.regions[root].owner or ""
    if not words.startswith("owner:"):
        return None
    return words.removeprefix("owner:").strip("{}").rpartition("=")[2]
