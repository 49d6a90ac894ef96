"""Ranges of ours beside ranges of QEMU's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.inspect.capture import view_ranges
from guestmap.inspect.conform.results import Difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.inspect.conform.cases import RangeValues
    from guestmap.memory import FlatView


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


def _text(fields: Sequence[str], values: RangeValues | None) -> str:
    if values is None:
        return "has no such range"
    said = dict(zip(fields, values, strict=True))
    start, size = said.pop("start"), said.pop("size")
    assert isinstance(start, int)
    assert isinstance(size, int)
    rest = " ".join(f"{name}={value}" for name, value in said.items() if value not in (0, None))
    return f"{start:016x}-{start + size - 1:016x} {rest}"
