"""Ranges of ours beside ranges of QEMU's."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from guestmap.conform.results import Difference
from guestmap.inspect.map.capture import view_ranges

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from guestmap.conform.cases import RangeValues
    from guestmap.memory import AddressSpace, FlatView

    View = tuple[str, tuple[RangeValues, ...]]
    """The name of a view's root, and the ranges."""

    Expected = dict[tuple[str, str], list[View]]
    """What QEMU shows, by names of address space and root: neither is unique."""


def root_name(view: FlatView) -> str:
    """Return the name of a view's root as QEMU prints it."""
    return "(none)" if view.root is None else view.root.name


def range_values(view: FlatView, fields: Sequence[str]) -> tuple[RangeValues, ...]:
    """Return a view's ranges as lists of the values that ``fields`` name."""
    return tuple(tuple(getattr(each, name) for name in fields) for each in view_ranges(view))


def first_difference(
    where: str,
    fields: Sequence[str],
    expected: Sequence[RangeValues],
    found: Sequence[RangeValues],
) -> Difference | None:
    """Return the first range that differs, both sides as text; None where all are equal."""
    for index in range(max(len(expected), len(found))):
        theirs = expected[index] if index < len(expected) else None
        ours = found[index] if index < len(found) else None
        if theirs != ours:
            return Difference(f"{where}, range {index}", _text(fields, theirs), _text(fields, ours))
    return None


def compare_spaces(
    where: str, fields: Sequence[str], expected: Expected, spaces: Iterable[AddressSpace]
) -> list[Difference]:
    """Return where address spaces do not show what they should; one difference for each view."""
    ours: dict[tuple[str, str], list[FlatView]] = {}
    for space in spaces:
        ours.setdefault((space.name, space.root.name), []).append(space.view)
    found: list[Difference] = []
    for key in sorted(expected.keys() | ours.keys()):
        place = f"{where}AS {key[0]!r}, root {key[1]!r}"
        theirs, mine = expected.get(key, []), ours.get(key, [])
        if len(theirs) != len(mine):
            found.append(Difference(place, f"has {len(theirs)}", f"has {len(mine)}"))
        else:
            found += _compare_views(place, fields, theirs, mine)
    return found


def _compare_views(
    place: str, fields: Sequence[str], theirs: list[View], ours: list[FlatView]
) -> list[Difference]:
    """Compare the views of address spaces that share name and root name; order is free."""
    wanted = Counter(theirs)
    shown = Counter((root_name(view), range_values(view, fields)) for view in ours)
    missing, surplus = list((wanted - shown).elements()), list((shown - wanted).elements())
    found: list[Difference] = []
    for (root, ranges), (our_root, our_ranges) in zip(missing, surplus, strict=True):
        difference = first_difference(place, fields, ranges, our_ranges)
        found.append(difference or Difference(place, f"shows {root!r}", f"shows {our_root!r}"))
    return found


def _text(fields: Sequence[str], values: RangeValues | None) -> str:
    if values is None:
        return "has no such range"
    said = dict(zip(fields, values, strict=True))
    start, size = said.pop("start"), said.pop("size")
    assert isinstance(start, int)
    assert isinstance(size, int)
    rest = " ".join(f"{name}={value}" for name, value in said.items() if value not in (0, None))
    return f"{start:016x}-{start + size - 1:016x} {rest}"
