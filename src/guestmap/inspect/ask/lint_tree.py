"""Checks of the trees: who hides whom, and what reaches too far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import exact_size
from guestmap.inspect.ask.findings import Hit
from guestmap.inspect.ask.ram_place import RAM_TYPES
from guestmap.inspect.map.shown import within
from guestmap.inspect.map.spans import minus

SHADOWS = frozenset({"pam-ram", "pam-rom", "kvmvapic-rom"})
"""QEMU's windows into the RAM behind C0000-FFFFF: the chipset's (hw/pci-host/pam.c), and the one by
which an option ROM of KVM's is kept writable (hw/i386/vapic.c)."""

DISPLAY_MEMORY = "vga.vram"
DISPLAY_WINDOWS = frozenset({"vga-lowmem", "cirrus-low-memory", "cirrus-linear-io"})
"""Where a display adapter answers accesses to its memory itself. In modes in which it would do
nothing but store them (chain-4, linear) QEMU shows the memory in front (hw/display/vga.c,
cirrus_vga.c)."""

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.inspect.ask.findings import Subject
    from guestmap.inspect.map.snapshot import RegionInfo
    from guestmap.inspect.map.ways import Way


def hidden_regions(subject: Subject) -> Iterator[Hit]:
    """Find regions that have an enabled way to some address space and are seen in none.

    But for those behind shadow RAM or a display's: :func:`pam_shadowed`, :func:`display_linear`.
    """
    for root, way in _unseen(subject):
        hiders = _hiders(subject, root, way)
        is_linear = bool(hiders) and all(_is_linear(way.region, each) for each in hiders)
        if not is_linear and not _is_shadowed(subject, root, way):
            yield _hidden(subject, root, way)


def pam_shadowed(subject: Subject) -> Iterator[Hit]:
    """Find those that are hidden by nothing but a PC's shadow RAM.

    A PC's chipset has RAM shown in front of ROM, a segment at a time (PAM): that is its purpose.
    """
    for root, way in _unseen(subject):
        if _is_shadowed(subject, root, way):
            yield _hidden(subject, root, way)


def _unseen(subject: Subject) -> Iterator[tuple[int, Way]]:
    seen = {each.way.region.id for view in subject.views.values() for each in view}
    told: set[int] = set()
    for root, ways in subject.ways.items():
        for way in ways:
            region = way.region
            if region.id in seen or region.id in told:
                continue
            told.add(region.id)
            yield root, way


def _hidden(subject: Subject, root: int, way: Way) -> Hit:
    hiders = _hiders(subject, root, way)
    names = ", ".join(dict.fromkeys(each.name for each in hiders)) or "nothing"
    return Hit(
        f"{way.region.name} is enabled, and no address space shows any of it:"
        f" here it is behind {names}",
        way.lo, way.hi, way.region, *hiders[:3], space=subject.roots[root],
    )  # fmt: skip


def _is_shadowed(subject: Subject, root: int, way: Way) -> bool:
    """Tell whether all that hides a way is shown by the chipset's windows into shadow RAM."""
    before = within(subject.views[root], way.lo, way.hi)
    return (
        way.region.type in RAM_TYPES
        and bool(before)
        and all(
            any(step.region.name in SHADOWS for step in other.steps()) for _, _, other in before
        )
    )


def _hiders(subject: Subject, root: int, way: Way) -> list[RegionInfo]:
    found: dict[int, RegionInfo] = {}
    for _, _, other in within(subject.views[root], way.lo, way.hi):
        found.setdefault(other.region.id, other.region)
    return list(found.values())


def ram_over_device(subject: Subject) -> Iterator[Hit]:
    """Find device registers that memory hides though a way to them is enabled.

    But for a display's window behind the display's memory: see :func:`display_linear`.
    """
    return (hit for hit in _registers_behind_ram(subject) if not _is_linear(*hit.regions))


def display_linear(subject: Subject) -> Iterator[Hit]:
    """Find display windows in front of which the adapter shows its memory itself."""
    return (hit for hit in _registers_behind_ram(subject) if _is_linear(*hit.regions))


def _is_linear(window: RegionInfo, over: RegionInfo) -> bool:
    return window.name in DISPLAY_WINDOWS and over.name == DISPLAY_MEMORY


def _registers_behind_ram(subject: Subject) -> Iterator[Hit]:
    told: set[tuple[int, int]] = set()
    for root, ways in subject.ways.items():
        memory = [each for each in subject.views[root] if each.way.region.type in RAM_TYPES]
        for way in ways:
            if way.region.type != "i/o":
                continue
            lost = [
                (max(start, way.lo), min(end, way.hi), over)
                for start, end, over in within(memory, way.lo, way.hi)
            ]
            elsewhere = subject.seen.get((way.region.id, way.base), []) if lost else []
            for lo, hi, over in (
                (*part, over)
                for start, end, over in lost
                for part in minus((start, end), elsewhere)
            ):
                holds = any(step.region.id == way.region.id for step in over.steps())
                if holds or (way.region.id, lo) in told:
                    continue
                told.add((way.region.id, lo))
                yield Hit(
                    f"{over.region.name} ({over.region.type}) hides {way.region.name}",
                    lo, hi, way.region, over.region, space=subject.roots[root],
                )  # fmt: skip


def equal_priority(subject: Subject) -> Iterator[Hit]:
    """Find overlapping siblings of which the newer answers only because it is the newer."""
    regions = subject.snapshot.regions
    for holder in regions:
        siblings = [regions[c] for c in holder.children if regions[c].enabled]
        levels: dict[int, list[RegionInfo]] = {}
        for each in siblings:
            levels.setdefault(each.priority, []).append(each)
        for equals in levels.values():
            order = {each.id: index for index, each in enumerate(equals)}
            for one, other in _overlaps(equals):
                newer, older = sorted((one, other), key=lambda each: order[each.id])
                if _shows_same(newer, older):
                    continue
                lo = max(newer.addr, older.addr)
                hi = min(newer.addr + newer.size, older.addr + older.size)
                yield Hit(
                    f"{newer.name} and {older.name} overlap in {holder.name} with priority"
                    f" {newer.priority} each: {newer.name} answers because it was added later",
                    lo, hi, older, newer, holder,
                )  # fmt: skip


def _overlaps(regions: list[RegionInfo]) -> Iterator[tuple[RegionInfo, RegionInfo]]:
    """Yield the pairs that share an address."""
    reach: list[RegionInfo] = []
    for each in sorted(regions, key=lambda r: r.addr):
        reach = [other for other in reach if other.addr + other.size > each.addr]
        yield from ((other, each) for other in reach)
        reach.append(each)


def _shows_same(one: RegionInfo, other: RegionInfo) -> bool:
    """Tell whether two aliases show the same bytes at the same addresses."""
    return (
        one.alias is not None
        and one.alias == other.alias
        and one.addr - one.alias_offset == other.addr - other.alias_offset
        and one.readonly == other.readonly
    )


def beyond_target(subject: Subject) -> Iterator[Hit]:
    """Find aliases that are longer than what they show."""
    regions = subject.snapshot.regions
    for alias in regions:
        if alias.alias is None or not alias.enabled:
            continue
        target = regions[alias.alias]
        if alias.alias_offset + alias.size > target.size:
            start = max(target.size - alias.alias_offset, 0)
            yield Hit(
                f"{alias.name} shows {target.name} from 0x{alias.alias_offset:x} on for"
                f" {exact_size(alias.size)}, and that has {exact_size(target.size)}: the rest is"
                " empty",
                start, alias.size, alias, target,
            )  # fmt: skip


def beyond_container(subject: Subject) -> Iterator[Hit]:
    """Find regions that what holds them cuts off."""
    regions = subject.snapshot.regions
    for holder in regions:
        for child in (regions[c] for c in holder.children):
            if child.enabled and child.addr + child.size > holder.size:
                yield Hit(
                    f"{child.name} reaches to 0x{child.addr + child.size:x} in {holder.name},"
                    f" which ends at 0x{holder.size:x}: the rest is cut off",
                    max(child.addr, holder.size), child.addr + child.size, child, holder,
                )  # fmt: skip
