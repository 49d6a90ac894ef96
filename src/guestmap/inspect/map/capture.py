"""Our own model as the parts of a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from guestmap.inspect.map.parts import (
    AddressSpaceInfo,
    RamBlockInfo,
    RangeInfo,
    RegionInfo,
    RegionType,
    ViewInfo,
    ViewUser,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from guestmap.memory import AddressSpace, FlatView, MemoryRegion, MemorySystem


def owner_of(region: MemoryRegion) -> str:
    """Return QEMU's words for a region's owner, where nothing more is known of it."""
    return owner_text(region.owner)


def capture(
    memory: MemorySystem, owner: Callable[[MemoryRegion], str | None]
) -> tuple[
    tuple[RegionInfo, ...],
    tuple[AddressSpaceInfo, ...],
    tuple[ViewInfo, ...],
    tuple[RamBlockInfo, ...],
]:
    """Return what ``memory`` shows now: every region that an address space can reach.

    Args:
        memory: what to look at.
        owner: returns what ``info mtree -o`` says of a region's owner.
    """
    spaces = memory.address_spaces
    ids = _number([space.root for space in spaces])
    return (
        tuple(_region(region, ids, owner) for region in ids),
        tuple(AddressSpaceInfo(s.name, ids[s.root]) for s in spaces),
        _views(spaces, ids, owner),
        tuple(
            RamBlockInfo(block.name, block.offset, block.used_length, block.max_length)
            for block in memory.ram_blocks
        ),
    )


def owner_text(owner: object) -> str:
    """Return QEMU's words for an owner: a string as it is, any other object by its type."""
    if owner is None:
        return "orphan"
    return owner if isinstance(owner, str) else f"owner:{{obj type={type(owner).__name__}}}"


def _number(roots: Iterable[MemoryRegion]) -> dict[MemoryRegion, int]:
    """Give ids to all that the roots reach, depth first, alias targets after the trees."""
    ids: dict[MemoryRegion, int] = {}
    waiting = list(roots)
    for start in waiting:  # grows while alias targets are met
        stack = [start]
        while stack:
            region = stack.pop()
            if region in ids:
                continue
            ids[region] = len(ids)
            if region.alias is not None:
                waiting.append(region.alias)
            stack.extend(reversed(region.subregions))
    return ids


def _region(
    region: MemoryRegion,
    ids: dict[MemoryRegion, int],
    owner: Callable[[MemoryRegion], str | None],
) -> RegionInfo:
    return RegionInfo(
        id=ids[region],
        name=region.name,
        addr=region.addr,
        size=region.size,
        priority=region.priority,
        type=cast("RegionType", region.mtree_type()),
        enabled=region.enabled,
        terminates=region.terminates,
        readonly=region.readonly,
        nonvolatile=region.nonvolatile,
        children=tuple(ids[child] for child in region.subregions),
        alias=None if region.alias is None else ids[region.alias],
        alias_offset=region.alias_offset,
        owner=owner(region),
    )


def _views(
    spaces: Iterable[AddressSpace],
    ids: dict[MemoryRegion, int],
    owner: Callable[[MemoryRegion], str | None],
) -> tuple[ViewInfo, ...]:
    return tuple(
        ViewInfo(
            users=users,
            root=None if view.root is None else view.root.name,
            ranges=view_ranges(view, ids, owner),
            root_region=None if view.root is None else ids.get(view.root),
        )
        for view, users in shared_views(spaces)
    )


def shared_views(
    spaces: Iterable[AddressSpace],
) -> list[tuple[FlatView, tuple[ViewUser, ...]]]:
    """Return each published view with who sees it, in order of first appearance."""
    shared: dict[int, tuple[FlatView, list[ViewUser]]] = {}
    for space in spaces:
        view, target = space.view, space.root.alias
        users = shared.setdefault(id(view), (view, []))[1]
        users.append(ViewUser(space.name, space.root.name, target.name if target else None))
    return [(view, tuple(users)) for view, users in shared.values()]


def view_ranges(
    view: FlatView,
    ids: dict[MemoryRegion, int] | None = None,
    owner: Callable[[MemoryRegion], str | None] = owner_of,
) -> tuple[RangeInfo, ...]:
    """Return a view's ranges as values; ``ids`` adds the answering regions' ids."""
    return tuple(
        RangeInfo(
            start=each.start,
            size=each.size,
            priority=each.region.priority,
            type=cast("RegionType", each.mtree_type()),
            name=each.region.name,
            offset_in_region=each.offset_in_region,
            nonvolatile=each.nonvolatile,
            owner=owner(each.region),
            region=None if ids is None else ids.get(each.region),
        )
        for each in view
    )
