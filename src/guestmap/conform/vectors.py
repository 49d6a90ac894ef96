"""Vectors: compare every view of the recorded tree with QEMU's, and who shares it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.conform.build import build
from guestmap.conform.compare import first_difference, range_values, root_name
from guestmap.conform.results import Difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.conform.build import Built
    from guestmap.conform.cases import RangeValues, VectorCase


@dataclass(frozen=True, slots=True)
class _View:
    """A view, and the (address space, root name) pairs that share it, sorted."""

    users: tuple[tuple[str, str], ...]
    root: str
    ranges: tuple[RangeValues, ...]


def check_vector(case: VectorCase) -> Difference | None:
    """Return the first difference between our views and the recorded ones, or None.

    A vector is made of text, and text cannot tell two regions that look alike from one region
    printed twice. So where QEMU shares a view between roots that look alike in the vector, ours may
    be two equal views.
    """
    built = build(case)
    ours = _views_of(case, built)
    theirs = Counter(_View(tuple(sorted(v.users)), v.root, v.ranges) for v in case.flatviews)
    missing = theirs - Counter(view for view, _ in ours)
    surplus = list(ours)
    for view in (theirs - missing).elements():
        surplus.remove(next(each for each in surplus if each[0] == view))
    for view in list(missing.elements()):
        parts = _alike(view, surplus)
        if parts:
            missing.subtract([view])
            for part in parts:
                surplus.remove(part)
    left = next(missing.elements(), None)
    if left is None and not surplus:
        return None
    return _explain(left, [view for view, _ in surplus], case.range_fields)


def _views_of(case: VectorCase, built: Built) -> list[tuple[_View, int | None]]:
    """Return our views, each with a number that stands for how its root looks."""
    spaces = built.memory.address_spaces
    looks = _looks(case)
    ids = {region: id_ for id_, region in built.regions.items()}
    shared: dict[int, list[int]] = {}
    for index, space in enumerate(spaces):
        shared.setdefault(id(space.view), []).append(index)
    views: list[tuple[_View, int | None]] = []
    for indexes in shared.values():
        view = spaces[indexes[0]].view
        users = tuple(sorted((spaces[i].name, spaces[i].root.name) for i in indexes))
        look = None if view.root is None else looks[ids[view.root]]
        ranges = range_values(view, case.range_fields)
        views.append((_View(users, root_name(view), ranges), look))
    return views


def _looks(case: VectorCase) -> dict[int, int]:
    """Number each region by how its subtree looks; equal numbers cannot be told apart."""
    by_id = {r.id: r for r in case.regions}
    numbers: dict[object, int] = {}
    looks: dict[int, int] = {}
    stack = [r.id for r in case.regions]
    while stack:
        r = by_id[stack[-1]]
        open_children = [child for child in r.children if child not in looks]
        if open_children:
            stack += open_children
            continue
        stack.pop()
        target = None if r.alias is None else by_id[r.alias].name
        look = (
            r.name, r.addr, r.size, r.priority, r.type, r.enabled, r.terminates, r.readonly,
            r.nonvolatile, r.owner, target, r.alias_offset, tuple(looks[c] for c in r.children),
        )  # fmt: skip
        looks[r.id] = numbers.setdefault(look, len(numbers))
    return looks


def _alike(view: _View, surplus: list[tuple[_View, int | None]]) -> list[tuple[_View, int | None]]:
    """Return views of ours that together are the recorded one, their roots looking alike."""
    for _, look in surplus:
        parts: list[tuple[_View, int | None]] = []
        wanted = Counter(view.users)
        for each in surplus:
            part, its_look = each
            fits = part.root == view.root and part.ranges == view.ranges and its_look == look
            if fits and Counter(part.users) <= wanted:
                parts.append(each)
                wanted -= Counter(part.users)
        if parts and not wanted:
            return parts
    return []


def _explain(theirs: _View | None, surplus: list[_View], fields: Sequence[str]) -> Difference:
    if theirs is None:
        first = surplus[0]
        return Difference(_names(first), "has no such view", f"shows one of {first.root!r}")
    near = max(surplus, key=lambda ours: len({*ours.users} & {*theirs.users}), default=None)
    if near is None:
        return Difference(_names(theirs), f"shows a view of {theirs.root!r}", "has no such view")
    difference = first_difference(_names(theirs), fields, theirs.ranges, near.ranges)
    if difference is not None:
        return difference
    if near.root != theirs.root:
        return Difference(_names(theirs), f"root {theirs.root!r}", f"root {near.root!r}")
    return Difference("shared view", f"of {_names(theirs)}", f"of {_names(near)}")


def _names(view: _View) -> str:
    return ", ".join(f"AS {name!r}" for name, _ in view.users)
