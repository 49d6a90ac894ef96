"""Which of two overlapping siblings of equal priority is the newer one, where text does not say.

Siblings with the same address are printed in list order, which settles them. Of others, these signs
tell, the best first:

1. what is known by name (:data:`guestmap.inspect.rebuild.rules.NEWER`);
2. a PCI BAR, which has priority 1, is mapped while the machine runs: after what the board mapped;
3. QEMU numbers devices as it makes them (``device[7]``), the board's own before those of the
   command line (``/machine/peripheral-anon``);
4. nobody places a region where it cannot be seen, so one that lies within another is the newer;
5. else print order is kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guestmap.inspect.rebuild.rules import NEWER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.inspect.rebuild.draft import Draft
    from guestmap.inspect.snapshot import RegionInfo

_DEVICE = re.compile(r"owner:\{dev path=/machine/(unattached|peripheral-anon)/device\[(\d+)\][/}]")

BAR_PRIORITY = 1
"""hw/pci/pci.c gives every BAR that the guest maps this priority."""


def order_siblings(draft: Draft) -> None:
    """Order the children of every region whose order is open, as the signs say."""
    for region in draft.regions:
        if draft.is_open(region.id, "children"):
            for lower, higher in list(overlaps(draft, region)):
                newer, older = (higher, lower) if _is_newer(higher, lower) else (lower, higher)
                draft.put_before(region.id, newer.id, older.id, "guess")


def overlaps(draft: Draft, region: RegionInfo) -> Iterator[tuple[RegionInfo, RegionInfo]]:
    """Yield enabled children of equal priority that overlap at different addresses, lower first."""
    before: list[RegionInfo] = []
    children = (draft.regions[child] for child in region.children)
    for child in sorted(children, key=lambda c: (-c.priority, c.addr)):
        if not child.enabled:
            continue
        before = [
            other
            for other in before
            if other.priority == child.priority and other.addr + other.size > child.addr
        ]
        for other in before:
            if other.addr < child.addr:
                yield other, child
        before.append(child)


def _is_newer(region: RegionInfo, other: RegionInfo) -> bool:
    for newer, older, _ in NEWER:
        if {newer, older} == {region.name, other.name}:
            return region.name == newer
    if region.priority == BAR_PRIORITY and _is_boards(region) != _is_boards(other):
        return bool(_is_boards(other))
    made, others = _made(region), _made(other)
    if made and others and made != others:
        return made > others
    return region.addr + region.size <= other.addr + other.size


def _is_boards(region: RegionInfo) -> bool | None:
    """Tell whether the board made a region, not one of its devices; None: not known."""
    return region.owner.startswith("parent:") if region.owner else None


def _made(region: RegionInfo) -> tuple[bool, int] | None:
    """Return when the region's device was made: after the machine's own, and its number."""
    device = _DEVICE.match(region.owner or "")
    if device is None:
        return None
    return device[1] == "peripheral-anon", int(device[2])
