"""Facts by the names of regions, and by what holds of all regions of a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.inspect.rebuild.rules import (
    ANSWERING,
    EMPTY,
    IOMMU_NAMES,
    RAM_ALIASES,
    RAM_NAMES,
    READONLY_ALIASES,
    UNIMPLEMENTED,
)

if TYPE_CHECKING:
    from guestmap.inspect.rebuild.draft import Draft
    from guestmap.inspect.rebuild.rules import Rule
    from guestmap.inspect.snapshot import RegionInfo

_ALL = 1 << 64


def infer(draft: Draft) -> None:
    """Set the open facts of every region as the rules have them."""
    _infer_types(draft)
    for region in list(draft.regions):
        if region.alias is not None:
            _infer_alias(draft, region)
        elif draft.is_open(region.id, "terminates"):
            _infer_answer(draft, region)
        if not draft.source.views:  # they show what is empty
            _infer_size(draft, region)


def _infer_types(draft: Draft) -> None:
    """Tell RAM from devices where a line says ``RW`` for both; an alias has its target's type."""
    shadowed = {r.alias for r in draft.regions if r.name in RAM_ALIASES}
    for region in list(draft.regions):
        is_leaf = region.alias is None and not region.children
        is_ram = region.id in shadowed or RAM_NAMES.fullmatch(region.name)
        if is_leaf and is_ram and draft.is_open(region.id, "type"):
            draft.set(region.id, "type", "ram", "rule")
            draft.set(region.id, "terminates", True, "rule")
            draft.set(region.id, "readonly", False, "rule")
    for region in list(draft.regions):
        if region.alias is not None and draft.is_open(region.id, "type"):
            draft.set(region.id, "type", draft.regions[_target(draft, region)].type, "rule")


def _target(draft: Draft, region: RegionInfo) -> int:
    """Return the region at the end of a chain of aliases."""
    seen: set[int] = set()
    while region.alias is not None and region.id not in seen:
        seen.add(region.id)
        region = draft.regions[region.alias]
    return region.id


def _infer_alias(draft: Draft, region: RegionInfo) -> None:
    if draft.is_open(region.id, "readonly") and region.name in READONLY_ALIASES:
        draft.set(region.id, "readonly", True, "rule")


def _infer_answer(draft: Draft, region: RegionInfo) -> None:
    if region.priority == UNIMPLEMENTED and not region.children:
        draft.set(region.id, "terminates", True, "rule")
    elif rule := find_rule(region):
        draft.set(region.id, "terminates", rule.answers, "rule")
    elif not region.children and region.size == _ALL and not IOMMU_NAMES.search(region.name):
        draft.set(region.id, "terminates", False, "guess")


def _infer_size(draft: Draft, region: RegionInfo) -> None:
    """Take what shows memory and is printed as one byte for empty: both print alike."""
    if region.size == 1 and (region.alias is not None or region.type != "i/o"):
        draft.set(region.id, "size", 0, "rule")


def find_rule(region: RegionInfo) -> Rule | None:
    """Return the rule that speaks of a region, if there is one."""
    for rule in ANSWERING if region.children else EMPTY:
        if rule.meets(region):
            return rule
    return None
