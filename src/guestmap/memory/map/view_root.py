"""A physical root: the region that is rendered, and everybody who shares its view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import StateError
from guestmap.base.named_tuple import NamedTuple
from guestmap.memory.map.flat_range import FlatRange, simplify
from guestmap.memory.map.flatview import FlatView
from guestmap.memory.map.render import render

if TYPE_CHECKING:
    from guestmap.memory.map.region import MemoryRegion
    from guestmap.memory.map.space import ViewedSpace

_JOIN_FROM = 64
"""Marked windows are joined when there are so many, and again at each doubling."""


class Patch(NamedTuple):
    """One place where a view changed: neighbouring ranges, before and after."""

    old: list[FlatRange]
    new: list[FlatRange]


class _Window(NamedTuple):
    """One piece of a view rendered anew, with the ranges in and around it, before and after."""

    start: int
    end: int
    old: list[FlatRange]
    new: list[FlatRange]

    def meets(self, other: _Window) -> bool:
        """Tell whether a window further up touches this one, or a range that this one touches."""
        if other.start <= self.end:
            return True
        return bool(self.old and other.old) and other.old[0].start <= self.old[-1].start


class ViewRoot:
    """One rendered region, its published view, and the windows to be rendered anew.

    Attributes:
        region: the region that is rendered; None for the root of all empty address spaces.
        view: what readers see; replaced as a whole.
        users: the address spaces that share the view, in order of arrival.
    """

    __slots__ = ("_join_from", "_windows", "region", "users", "view")

    def __init__(self, region: MemoryRegion | None) -> None:
        self.region = region
        self.view = FlatView.of(region, [])
        self.users: dict[ViewedSpace, None] = {}
        self._windows: list[tuple[int, int]] = []
        self._join_from = _JOIN_FROM

    def mark(self, start: int, end: int) -> None:
        """Remember that ``[start, end)`` must be rendered before the next publication."""
        windows = self._windows
        if windows and windows[-1][0] <= start and end <= windows[-1][1]:
            return
        windows.append((start, end))
        if len(windows) > self._join_from:
            self._windows = _joined(windows)
            self._join_from = max(_JOIN_FROM, 2 * len(self._windows))

    @property
    def windows(self) -> list[tuple[int, int]]:
        """What is marked: sorted, and no two touch."""
        return _joined(self._windows)

    def unmark(self) -> None:
        """Forget the marks."""
        self._windows = []
        self._join_from = _JOIN_FROM

    def rerendered(self, generation: int) -> tuple[FlatView, list[Patch]]:
        """Return the view with all marked windows rendered, and where it differs.

        Raises:
            ConfigError: a view without end (see :func:`guestmap.memory.map.render.render`).
        """
        done: list[_Window] = []
        for start, end in self.windows:
            window = self._render_window(start, end)
            while done and done[-1].meets(window):
                last = done.pop()
                window = self._render_window(
                    min(last.start, window.start), max(last.end, window.end)
                )
            done.append(window)
        view, patches = self.view, []
        for each in done:
            patch = _trimmed(each.old, each.new)
            if patch.old or patch.new:
                view = view.replaced(patch.old, patch.new, generation)
                patches.append(patch)
        return view, patches

    def _render_window(self, start: int, end: int) -> _Window:
        """Render a window and join the result to what is around it."""
        while True:
            old = self.view.touching(start, end)
            window = render(self.region, start, end)
            # A range that may not be joined must be rendered in one go, or a cut would stay.
            whole = [r for r in old if r.unmergeable and (r.start < start or r.end > end)]
            if not whole or not _is_cut(whole, window, start, end):
                break
            start = min(start, *(r.start for r in whole))
            end = max(end, *(r.end for r in whole))
        new = window
        if old:  # only the first can begin before the window, and only the last end behind it
            first, last = old[0], old[-1]
            if first.start < start:
                new = [first if first.end <= start else first.cut(first.start, start), *new]
            if last.end > end:
                new = [*new, last if last.start >= end else last.cut(end, last.end)]
        return _Window(start, end, old, simplify(new))


def _is_cut(whole: list[FlatRange], window: list[FlatRange], start: int, end: int) -> bool:
    """Tell whether a window's edge cuts, or meets, a run of the same unmergeable region."""
    return any(r.start < start < r.end or r.start < end < r.end for r in whole) or any(
        r.region is w.region and w.unmergeable
        for r in whole
        for w in (window[:1] + window[-1:])
        if r.end == w.start or w.end == r.start
    )


def _joined(windows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return sorted, disjoint, non-touching windows that cover the same addresses."""
    if len(windows) < 2:  # nearly always
        return windows
    joined: list[tuple[int, int]] = []
    for start, end in sorted(windows):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _trimmed(old: list[FlatRange], new: list[FlatRange]) -> Patch:
    """Return the two lists without what they share at either end."""
    shorter = min(len(old), len(new))
    head = 0
    # What was not rendered again is the very same range, and what moved begins elsewhere: most
    # often there is no need to compare the other facts.
    while head < shorter:
        a, b = old[head], new[head]
        if a is not b and (a.start != b.start or a != b):
            break
        head += 1
    tail = 0
    while tail < shorter - head:
        a, b = old[-1 - tail], new[-1 - tail]
        if a is not b and (a.start != b.start or a != b):
            break
        tail += 1
    return Patch(old[head : len(old) - tail], new[head : len(new) - tail])


class ClosedRoot(ViewRoot):
    """Stands in the place of an address space's root once the memory system is closed."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def view(self) -> FlatView:  # type: ignore[override]
        """Nothing any more.

        Raises:
            StateError: always.
        """
        raise StateError(f"address space {self._name!r} is gone: the memory system is closed")
