"""A physical root: the region that is rendered, and everybody who shares its view."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from guestmap.memory.flatview import FlatRange, FlatView, simplify
from guestmap.memory.render import render

if TYPE_CHECKING:
    from guestmap.memory.address_space import AddressSpace
    from guestmap.memory.region import MemoryRegion

_MAX_WINDOWS = 64
"""More windows than this in one transaction are joined into the one that spans them."""


class Patch(NamedTuple):
    """One place where a view changed: neighbouring ranges, before and after."""

    old: list[FlatRange]
    new: list[FlatRange]


class ViewRoot:
    """One rendered region, its published view, and the windows to be rendered anew.

    Attributes:
        region: the region that is rendered; None for the root of all empty address spaces.
        view: what readers see; replaced as a whole.
        users: the address spaces that share the view, in order of arrival.
    """

    __slots__ = ("_windows", "region", "users", "view")

    def __init__(self, region: MemoryRegion | None) -> None:
        self.region = region
        self.view = FlatView.of(region, [])
        self.users: dict[AddressSpace, None] = {}
        self._windows: list[tuple[int, int]] = []

    def mark(self, start: int, end: int) -> None:
        """Remember that ``[start, end)`` must be rendered before the next publication."""
        windows = self._windows
        if windows and windows[-1][0] <= start and end <= windows[-1][1]:
            return
        windows.append((start, end))
        if len(windows) > _MAX_WINDOWS:
            self._windows = _joined(windows)
            if len(self._windows) > _MAX_WINDOWS // 2:
                self._windows = [(self._windows[0][0], self._windows[-1][1])]

    def unmark(self) -> None:
        """Forget the marks."""
        self._windows = []

    def rerendered(self, generation: int) -> tuple[FlatView, list[Patch]]:
        """Return the view with all marked windows rendered, and where it differs.

        Raises:
            ConfigError: a view without end (see :func:`guestmap.memory.render.render`).
        """
        view = self.view
        patches: list[Patch] = []
        for start, end in _joined(self._windows):
            old, new = self._render_window(view, start, end)
            patch = _trimmed(old, new)
            if patch.old or patch.new:
                view = view.replaced(patch.old, patch.new, generation)
                patches.append(patch)
        return view, patches

    def _render_window(
        self, view: FlatView, start: int, end: int
    ) -> tuple[list[FlatRange], list[FlatRange]]:
        """Return the ranges at and around a window, as they are and as they should be."""
        while True:
            old = view.touching(start, end)
            new = [r.cut(r.start, min(r.end, start)) for r in old if r.start < start]
            window = render(self.region, start, end)
            # A range that may not be joined must be rendered in one go, or a cut would stay.
            whole = [r for r in old if r.unmergeable and (r.start < start or r.end > end)]
            if whole and (_is_cut(whole, window, start, end)):
                start = min(start, *(r.start for r in whole))
                end = max(end, *(r.end for r in whole))
                continue
            new += window
            new += [r.cut(max(r.start, end), r.end) for r in old if r.end > end]
            return old, simplify(new)


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
    while head < shorter and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < shorter - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return Patch(old[head : len(old) - tail], new[head : len(new) - tail])
