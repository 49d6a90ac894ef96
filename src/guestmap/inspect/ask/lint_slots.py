"""Checks of the views against what KVM, vhost and a guest's memory hot-plug can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import exact_size
from guestmap.inspect.ask.findings import Hit
from guestmap.inspect.ask.ram_place import RAM_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.inspect.ask.findings import Subject
    from guestmap.inspect.map.snapshot import RangeInfo

_MANY_SLOTS = 8
"""Slots of one block above which it counts as torn; a PC's PAM makes up to seven by itself."""


def partial_pages(subject: Subject) -> Iterator[Hit]:
    """Find memory that does not fill host pages: KVM gives the rest to the device emulation."""
    page = subject.options.page_size
    for space, ranges in subject.mapped.items():
        for each in ranges:
            if _is_memory(subject, each) and (each.start % page or each.size % page):
                whole = _pages(each, page)
                what = (
                    f"{exact_size(whole * page)} of {exact_size(each.size)}"
                    if whole
                    else "none of it"
                )
                yield Hit(
                    f"{each.name} does not fill pages of {exact_size(page)}: KVM maps {what}",
                    each.start, each.start + each.size, *subject.region_of(each), space=space,
                )  # fmt: skip


def torn_blocks(subject: Subject) -> Iterator[Hit]:
    """Find memory that takes many KVM slots because others lie in between."""
    for space, ranges in subject.mapped.items():
        blocks: dict[tuple[str, int | None], list[RangeInfo]] = {}
        for each in _slots(subject, ranges):
            blocks.setdefault((each.name, each.region), []).append(each)
        for (name, _), parts in blocks.items():
            if len(parts) > _MANY_SLOTS:
                yield Hit(
                    f"{name} is torn into {len(parts)} pieces, each a KVM slot",
                    parts[0].start, parts[-1].start + parts[-1].size,
                    *subject.region_of(parts[0]), space=space,
                )  # fmt: skip


def kvm_budget(subject: Subject) -> Iterator[Hit]:
    """Find more memory ranges than KVM has slots."""
    limit = subject.options.kvm_slots
    for space, ranges in subject.mapped.items():
        slots = _slots(subject, ranges)
        if len(slots) > limit:
            yield Hit(
                f"{space} needs {len(slots)} KVM slots, and there are {limit}",
                *_whole(slots), space=space,
            )  # fmt: skip


def vhost_budget(subject: Subject) -> Iterator[Hit]:
    """Find more memory ranges than vhost backends take (they join neighbours of one block)."""
    limit = subject.options.vhost_slots
    for space, ranges in subject.mapped.items():
        slots = [each for each in _slots(subject, ranges) if each.type == "ram"]
        count = sum(
            1 for index, each in enumerate(slots) if not index or not _joins(slots[index - 1], each)
        )
        if count > limit:
            yield Hit(
                f"{space} needs {count} vhost regions, and a backend takes {limit}",
                *_whole(slots), space=space,
            )  # fmt: skip


def unaligned_devices(subject: Subject) -> Iterator[Hit]:
    """Find memory devices that do not fill the blocks that a guest brings online."""
    block = subject.options.memory_block
    for root, view in subject.views.items():
        if subject.roots[root] not in subject.mapped:
            continue
        for start, end, way in view:
            names = {step.region.name for step in way.steps()}
            if "device-memory" not in names or way.region.type != "ram":
                continue
            if start % block or end % block:
                yield Hit(
                    f"{way.region.name} does not start and end on a multiple of"
                    f" {block // 2**20} MiB: a Linux guest leaves part of it unused",
                    start, end, way.region, space=subject.roots[root],
                )  # fmt: skip


def beyond_phys_bits(subject: Subject) -> Iterator[Hit]:
    """Find what the guest's CPU cannot address."""
    bits = subject.options.phys_bits
    if bits is None:
        return
    limit = 1 << bits
    for space, ranges in subject.mapped.items():
        for each in ranges:
            end = each.start + each.size
            if end > limit:
                yield Hit(
                    f"{each.name} reaches to 0x{end - 1:x}, and {bits} bits end at"
                    f" 0x{limit - 1:x}",
                    max(each.start, limit), end, *subject.region_of(each), space=space,
                )  # fmt: skip


def _is_memory(subject: Subject, each: RangeInfo) -> bool:
    known = subject.region_of(each)
    return (known[0].type if known else each.type) in RAM_TYPES


def _pages(each: RangeInfo, page: int) -> int:
    """Return how many whole pages a range has."""
    return max(0, (each.start + each.size) // page - -(-each.start // page))


def _slots(subject: Subject, ranges: tuple[RangeInfo, ...]) -> list[RangeInfo]:
    page = subject.options.page_size
    return [each for each in ranges if _is_memory(subject, each) and _pages(each, page)]


def _joins(one: RangeInfo, other: RangeInfo) -> bool:
    return (
        one.start + one.size == other.start
        and (one.name, one.region) == (other.name, other.region)
        and one.offset_in_region + one.size == other.offset_in_region
    )


def _whole(slots: list[RangeInfo]) -> tuple[int, int]:
    return slots[0].start, slots[-1].start + slots[-1].size
