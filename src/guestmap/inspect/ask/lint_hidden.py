"""Checks of the trees: who hides whom."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate, islice
from operator import itemgetter
from typing import TYPE_CHECKING

from guestmap.inspect.ask.findings import Hit
from guestmap.inspect.ask.lint_overlap import MOST_TOLD
from guestmap.inspect.ask.ram_place import RAM_TYPES
from guestmap.inspect.map.shown import span
from guestmap.inspect.map.spans import minus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from guestmap.inspect.ask.findings import Subject
    from guestmap.inspect.map.shown import Shown
    from guestmap.inspect.map.snapshot import RegionInfo
    from guestmap.inspect.map.spans import Span
    from guestmap.inspect.map.ways import Way

SHADOWS = frozenset({"pam-ram", "pam-rom", "kvmvapic-rom"})
"""QEMU's windows into the RAM behind C0000-FFFFF: the chipset's (hw/pci-host/pam.c), and the one by
which an option ROM of KVM's is kept writable (hw/i386/vapic.c)."""

DISPLAY_MEMORY = "vga.vram"
DISPLAY_WINDOWS = frozenset({"vga-lowmem", "cirrus-low-memory", "cirrus-linear-io"})
"""Where a display adapter answers accesses to its memory itself. In modes in which it would do
nothing but store them (chain-4, linear) QEMU shows the memory in front (hw/display/vga.c,
cirrus_vga.c)."""


class _Front:
    """What one rendered region shows, and of how many ranges from the first on something is so."""

    def __init__(self, view: Sequence[Shown]) -> None:
        self._view = view
        self._shadows = self._counted([
            any(step.region.name in SHADOWS for step in way.steps()) for _, _, way in view
        ])  # fmt: skip
        self._display = self._counted([
            way.region.name == DISPLAY_MEMORY for _, _, way in view
        ])  # fmt: skip

    @staticmethod
    def _counted(hold: list[bool]) -> list[int]:
        return [0, *accumulate(hold)]

    def hiders(self, way: Way) -> tuple[list[RegionInfo], int]:
        """Return who answers first where a way leads, and how many ranges there are besides."""
        places = span(self._view, way.lo, way.hi)
        looked_at = places[:MOST_TOLD]
        found = {(r := self._view[place].way.region).id: r for place in looked_at}
        return list(found.values()), len(places) - len(looked_at)

    def is_shadowed(self, way: Way) -> bool:
        """Tell whether all that hides a way is shown by the chipset's windows into shadow RAM."""
        return way.region.type in RAM_TYPES and self._all(self._shadows, way)

    def is_linear(self, way: Way) -> bool:
        """Tell whether all that hides a display's window is the display's memory."""
        return way.region.name in DISPLAY_WINDOWS and self._all(self._display, way)

    def _all(self, counts: list[int], way: Way) -> bool:
        places = span(self._view, way.lo, way.hi)
        return bool(places) and counts[places.stop] - counts[places.start] == len(places)


def hidden_regions(subject: Subject) -> Iterator[Hit]:
    """Find regions that have an enabled way to some address space and are seen in none.

    But for those behind shadow RAM or a display's: :func:`pam_shadowed`, :func:`display_linear`.
    """
    for root, front, way in _unseen(subject):
        if not front.is_linear(way) and not front.is_shadowed(way):
            yield _hidden(subject, root, front, way)


def pam_shadowed(subject: Subject) -> Iterator[Hit]:
    """Find those that are hidden by nothing but a PC's shadow RAM.

    A PC's chipset has RAM shown in front of ROM, a segment at a time (PAM): that is its purpose.
    """
    for root, front, way in _unseen(subject):
        if front.is_shadowed(way):
            yield _hidden(subject, root, front, way)


def _unseen(subject: Subject) -> Iterator[tuple[int, _Front, Way]]:
    seen = {each.way.region.id for view in subject.views.values() for each in view}
    told: set[int] = set()
    for root, ways in subject.ways.items():
        front = None
        for way in ways:
            region = way.region
            if region.id in seen or region.id in told:
                continue
            told.add(region.id)
            front = front or _Front(subject.views[root])
            yield root, front, way


def _hidden(subject: Subject, root: int, front: _Front, way: Way) -> Hit:
    hiders, more = front.hiders(way)
    names = ", ".join(dict.fromkeys(each.name for each in hiders)) or "nothing"
    more_words = f" and those of {more} ranges more" if more else ""
    return Hit(
        f"{way.region.name} is enabled, and no address space shows any of it:"
        f" here it is behind {names}{more_words}",
        way.lo, way.hi, way.region, *hiders[:3], space=subject.roots[root],
    )  # fmt: skip


def ram_over_device(subject: Subject) -> Iterator[Hit]:
    """Find device registers that memory hides though a way to them is enabled.

    But for a display's window behind the display's memory: see :func:`display_linear`.
    """
    return _registers_behind_ram(subject, linear=False)


def display_linear(subject: Subject) -> Iterator[Hit]:
    """Find display windows in front of which the adapter shows its memory itself."""
    return _registers_behind_ram(subject, linear=True)


def _registers_behind_ram(subject: Subject, *, linear: bool) -> Iterator[Hit]:
    """Find registers behind memory: with ``linear``, windows behind the display's, else all others.

    What lies behind many ranges of memory is one finding.
    """
    told: set[tuple[int, int]] = set()
    told_whole: set[int] = set()
    for root, ways in subject.ways.items():
        memory = [each for each in subject.views[root] if each.way.region.type in RAM_TYPES]
        display = [each for each in memory if each.way.region.name == DISPLAY_MEMORY]
        others = [each for each in memory if each.way.region.name != DISPLAY_MEMORY]
        for way in ways:
            region = way.region
            is_window = region.name in DISPLAY_WINDOWS
            if region.type != "i/o" or region.id in told_whole or (linear and not is_window):
                continue
            over = (display if linear else others) if is_window else memory
            lost = list(islice(_lost(subject, way, over, told), MOST_TOLD + 1))
            hits = [_behind(subject, root, way, *each) for each in lost]
            if len(hits) > MOST_TOLD:
                told_whole.add(region.id)
                hits = [_behind_many(subject, root, way, over)]
            yield from hits


def _lost(
    subject: Subject, way: Way, memory: Sequence[Shown], told: set[tuple[int, int]]
) -> Iterator[tuple[int, int, RegionInfo]]:
    """Yield where memory hides a way to a region that nobody shows there, once each."""
    places = span(memory, way.lo, way.hi)
    elsewhere = subject.seen.get((way.region.id, way.base), []) if places else []
    for start, end, over in (memory[place] for place in places):
        start, end = max(start, way.lo), min(end, way.hi)
        for lo, hi in minus((start, end), _near(elsewhere, start, end)):
            holds = any(step.region.id == way.region.id for step in over.steps())
            if not holds and (way.region.id, lo) not in told:
                told.add((way.region.id, lo))
                yield lo, hi, over.region


def _near(spans: list[Span], start: int, end: int) -> list[Span]:
    """Return those of sorted, disjoint spans that reach into a range."""
    first = bisect_right(spans, start, key=itemgetter(1))
    return spans[first : bisect_left(spans, end, key=itemgetter(0))]


def _behind(subject: Subject, root: int, way: Way, lo: int, hi: int, over: RegionInfo) -> Hit:
    return Hit(
        f"{over.name} ({over.type}) hides {way.region.name}",
        lo, hi, way.region, over, space=subject.roots[root],
    )  # fmt: skip


def _behind_many(subject: Subject, root: int, way: Way, memory: Sequence[Shown]) -> Hit:
    places = span(memory, way.lo, way.hi)
    over = [memory[place].way.region for place in places[:MOST_TOLD]]
    names = ", ".join(list(dict.fromkeys(f"{each.name} ({each.type})" for each in over))[:3])
    return Hit(
        f"{len(places)} ranges of memory hide {way.region.name}, such as {names}",
        max(memory[places[0]].start, way.lo), min(memory[places[-1]].end, way.hi),
        way.region, over[0], space=subject.roots[root],
    )  # fmt: skip
