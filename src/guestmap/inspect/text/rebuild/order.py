"""Which of two overlapping siblings of equal priority is the newer one, where text does not say.

Siblings with the same address are printed in list order, which settles them. Of others, these signs
tell, the best first:

1. what is known by name (:data:`guestmap.inspect.text.rebuild.rules.NEWER`);
2. a PCI BAR, which has priority 1, is mapped while the machine runs: after what the board mapped;
3. QEMU numbers devices as it makes them (``device[7]``, ``device[7]/dma[1]``, ``soc/fsi[1]``), the
   board's own before those of the command line (``/machine/peripheral-anon``);
4. what repeats a region was placed in the order of its addresses;
5. nobody places a region where it cannot be seen, so one that lies within another is the newer;
6. else print order is kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from guestmap.inspect.text.rebuild.rules import NEWER

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import RegionInfo
    from guestmap.inspect.text.rebuild.draft import Draft

_DEVICE = re.compile(r":\{dev path=(/machine/[^}]*)\}")
_NUMBER = re.compile(r"\[(\d+)\]")

_MANY = 200_000
"""So many pairs of siblings are compared, each with each: those of 600 that all overlap."""

_NEAR = 4
"""Beyond that, a region is compared with so many that begin before it."""

BAR_PRIORITY = 1
"""hw/pci/pci.c gives every BAR that the guest maps this priority."""


def order_siblings(draft: Draft) -> None:
    """Order the children of every region whose order is open, as the signs say."""
    for region in draft.regions:
        if draft.is_open(region.id, "children"):
            for lower, higher in overlaps(draft, region):
                newer, older = (higher, lower) if _is_newer(higher, lower) else (lower, higher)
                draft.put_before(region.id, newer.id, older.id, "guess")
    draft.sort_siblings()


class Overlaps(NamedTuple):
    """Pairs of siblings, the one with the lower address first; ``whole``: they are all."""

    pairs: list[tuple[RegionInfo, RegionInfo]]
    whole: bool


def overlaps(draft: Draft, region: RegionInfo) -> list[tuple[RegionInfo, RegionInfo]]:
    """Return enabled children of equal priority that overlap at different addresses."""
    return compared(draft, region).pairs


def compared(draft: Draft, region: RegionInfo) -> Overlaps:
    """Return the same, and whether all were compared.

    Of very many, those that are near each other: a map that a stranger made costs no more than its
    size, and what is concluded of such a pile is a guess anyway.
    """
    found: list[tuple[RegionInfo, RegionInfo]] = []
    before: list[RegionInfo] = []
    looked_at = 0
    children = (draft.regions[child] for child in region.children)
    for child in sorted(children, key=lambda c: (-c.priority, c.addr)):
        if not child.enabled:
            continue
        before = [
            other
            for other in before
            if other.priority == child.priority and other.addr + other.size > child.addr
        ]
        found += [(other, child) for other in before if other.addr < child.addr]
        looked_at += len(before)
        before.append(child)
        if looked_at > _MANY:
            del before[:-_NEAR]
    return Overlaps(found, looked_at <= _MANY)


def _is_newer(region: RegionInfo, other: RegionInfo) -> bool:
    for newer, older, _ in NEWER:
        if {newer, older} == {region.name, other.name}:
            return region.name == newer
    if region.priority == BAR_PRIORITY and _is_boards(region) != _is_boards(other):
        return bool(_is_boards(other))
    made, others = _made(region), _made(other)
    if made and others and made.among == others.among and made != others:
        return made > others
    if region.alias is not None and (region.name, region.alias) == (other.name, other.alias):
        return region.addr > other.addr
    return region.addr + region.size <= other.addr + other.size


def _is_boards(region: RegionInfo) -> bool | None:
    """Tell whether the board made a region, not one of its devices; None: not known."""
    return region.owner.startswith("parent:") if region.owner else None


class _Made(NamedTuple):
    """When a device was made; to be compared where ``among`` is equal."""

    among: str
    late: bool
    numbers: tuple[int, ...]


def _made(region: RegionInfo) -> _Made | None:
    """Return when the region's device was made: after the machine's own, and its numbers."""
    device = _DEVICE.search(region.owner or "")
    if device is None:
        return None
    path = device[1]
    numbers = tuple(int(number) for number in _NUMBER.findall(path))
    for late, parent in enumerate(
        ("/machine/unattached/device[", "/machine/peripheral-anon/device[")
    ):
        if path.startswith(parent):
            return _Made("devices", bool(late), numbers)
    return _Made(_NUMBER.sub("[]", path), False, numbers)
