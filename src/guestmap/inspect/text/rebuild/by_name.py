"""Facts by the names of regions, and by what holds of all regions of a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.inspect.map.unshown import is_unshown
from guestmap.inspect.text.mtree.dialects import dialect_of, versions_of
from guestmap.inspect.text.rebuild.rules import (
    ANSWERING,
    ANSWERING_NAMES,
    EMPTY,
    EMPTY_NAMES,
    IOMMU_NAMES,
    IOMMU_ROOTS,
    RAM_ALIASES,
    RAM_NAMES,
    READONLY_ALIASES,
    UNIMPLEMENTED,
)

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import RegionInfo
    from guestmap.inspect.text.mtree.dialects import Version
    from guestmap.inspect.text.rebuild.draft import Draft
    from guestmap.inspect.text.rebuild.rules import Rule

    Versions = tuple[Version, Version]

_ALL = 1 << 64


def infer(draft: Draft) -> None:
    """Set the open facts of every region as the rules have them."""
    versions = versions_of(draft.source)
    if "type" in draft.opens and not dialect_of(draft.source).parentless:
        _infer_types(draft)
    for region in list(draft.regions):
        if region.alias is not None:
            _infer_alias(draft, region, versions)
        elif draft.is_open(region.id, "terminates") and not is_unshown(region):
            _infer_answer(draft, region, versions)
        if not draft.source.views:  # they show what is empty
            _infer_size(draft, region)


def _infer_types(draft: Draft) -> None:
    """Tell RAM from devices where a line says ``RW`` for both; an alias has its target's type."""
    shadowed = {r.alias for r in draft.regions if r.name in RAM_ALIASES}
    for region in list(draft.regions):
        if region.alias is not None or region.children or not draft.is_open(region.id, "type"):
            continue
        if region.id in shadowed or RAM_NAMES.fullmatch(region.name):
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


def _infer_alias(draft: Draft, region: RegionInfo, versions: Versions) -> None:
    if draft.is_open(region.id, "readonly"):
        kind = draft.regions[_target(draft, region)].type
        for name, shown, since in READONLY_ALIASES:
            if region.name == name and shown in ("", kind) and since <= versions[1]:
                draft.set(region.id, "readonly", True, "rule")


def _infer_answer(draft: Draft, region: RegionInfo, versions: Versions) -> None:
    if region.priority == UNIMPLEMENTED and not region.children:
        draft.set(region.id, "terminates", True, "rule")
    elif rule := find_rule(region, versions):
        draft.set(region.id, "terminates", rule.answers, "rule")
    elif region.size == _ALL and not region.children:
        draft.set(region.id, "terminates", bool(IOMMU_NAMES.search(region.name)), "guess")
    elif region.size == _ALL and _is_iommu(draft, region):
        draft.set(region.id, "terminates", True, "guess")


def _is_iommu(draft: Draft, region: RegionInfo) -> bool:
    """Tell an IOMMU with windows (for interrupts) from the root that holds it, or others.

    A root holds what fills it, or says what it is.
    """
    holds_all = any(draft.regions[child].size == _ALL for child in region.children)
    named = IOMMU_NAMES.search(region.name) and not IOMMU_ROOTS.search(region.name)
    return bool(named) and not holds_all


def _infer_size(draft: Draft, region: RegionInfo) -> None:
    """Take what shows memory and is printed as one byte for empty: both print alike."""
    if region.size == 1 and (region.alias is not None or region.type != "i/o"):
        draft.set(region.id, "size", 0, "rule")


def find_rule(region: RegionInfo, versions: Versions) -> Rule | None:
    """Return the rule that speaks of a region in one of these versions, if there is one."""
    rules, any_of_them = (ANSWERING, ANSWERING_NAMES) if region.children else (EMPTY, EMPTY_NAMES)
    if any_of_them.fullmatch(region.name) is None:
        return None
    return next((rule for rule in rules if rule.meets(region) and rule.holds_for(versions)), None)
