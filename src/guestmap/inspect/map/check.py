"""The rules that a snapshot keeps, whoever wrote it: each tool relies on them.

Messages name the place as a JSON path (``$.views[0].ranges[3].region``): snapshots come as files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from guestmap.base import ADDRESS_SPACE_SIZE, PeerError, exact_size
from guestmap.inspect.map.circles import endless, find_circle

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import (
        RamBlockInfo,
        RegionInfo,
        SlotInfo,
        Snapshot,
        ViewInfo,
    )

_PRIORITIES = range(-(1 << 31), 1 << 31)  # QEMU's int32_t


def check_snapshot(snapshot: Snapshot) -> None:
    """Hold a snapshot to its rules; the cost is that of looking at each field once.

    Raises:
        PeerError: a rule is broken; says where, what is there, and what is expected.
    """
    _check_regions(snapshot.regions)
    count = len(snapshot.regions)
    for index, space in enumerate(snapshot.address_spaces):
        if not 0 <= space.root < count:
            _absent(f"$.address_spaces[{index}].root", space.root, count)
    _check_acyclic(snapshot)
    _check_circles(snapshot)
    _check_blocks(snapshot.ram_blocks)
    _check_slots(snapshot.slots)
    for index, view in enumerate(snapshot.views):
        _check_view(f"$.views[{index}]", view, count)


def _check_regions(regions: tuple[RegionInfo, ...]) -> None:
    count = len(regions)
    contained: dict[int, int] = {}
    for index, region in enumerate(regions):
        where = f"$.regions[{index}]"
        if region.id != index:
            _fail(f"{where}.id", f"is {region.id}; expected its place in the list, {index}")
        if not 0 <= region.addr < ADDRESS_SPACE_SIZE:
            _fail(f"{where}.addr", f"is {region.addr}; expected 0 to 2**64 - 1")
        if not 0 <= region.size <= ADDRESS_SPACE_SIZE:
            _fail(f"{where}.size", f"is {region.size}; expected 0 to 2**64")
        if not 0 <= region.alias_offset < ADDRESS_SPACE_SIZE:
            _fail(f"{where}.alias_offset", f"is {region.alias_offset}; expected 0 to 2**64 - 1")
        _check_priority(where, region.priority)
        if region.alias is not None and not 0 <= region.alias < count:
            _absent(f"{where}.alias", region.alias, count)
        if region.sureness and len(region.sureness) != len(region.inferred):
            _fail(f"{where}.sureness", f"has not one entry for each of {where}.inferred")
        if region.children and region.alias is not None:
            _fail(where, f"({region.name!r}) is an alias and has children; expected one of them")
        for place, child in enumerate(region.children):
            if not 0 <= child < count:
                _absent(f"{where}.children[{place}]", child, count)
            if child in contained:
                _fail(
                    f"{where}.children[{place}]",
                    f"is {child}, which is in two containers: region {contained[child]} holds it",
                )
            contained[child] = index


def _check_blocks(blocks: tuple[RamBlockInfo, ...]) -> None:
    for index, block in enumerate(blocks):
        where = f"$.ram_blocks[{index}]"
        if not 0 <= block.offset < ADDRESS_SPACE_SIZE:
            _fail(f"{where}.offset", f"is {block.offset}; expected 0 to 2**64 - 1")
        for name, length in (
            ("used_length", block.used_length),
            ("max_length", block.max_length),
        ):
            if not 0 <= length <= ADDRESS_SPACE_SIZE:
                _fail(f"{where}.{name}", f"is {length}; expected 0 to 2**64")


def _check_slots(slots: tuple[SlotInfo, ...]) -> None:
    for index, slot in enumerate(slots):
        where = f"$.slots[{index}]"
        for name, start in (("start", slot.start), ("host", slot.host)):
            if not 0 <= start < ADDRESS_SPACE_SIZE:
                _fail(f"{where}.{name}", f"is {start}; expected 0 to 2**64 - 1")
        if not 1 <= slot.size <= ADDRESS_SPACE_SIZE:
            _fail(f"{where}.size", f"is {slot.size}; expected 1 to 2**64")


def _check_priority(where: str, priority: int) -> None:
    if not _PRIORITIES.start <= priority < _PRIORITIES.stop:
        _fail(f"{where}.priority", f"is {priority}; expected -2**31 to 2**31 - 1")


def _check_acyclic(snapshot: Snapshot) -> None:
    """Go up from each region, no further than to one that is known to lead to a root."""
    container = snapshot.containers
    done: set[int] = set()
    for region in snapshot.regions:
        way: dict[int, None] = {}
        above: int | None = region.id
        while above is not None and above not in done:
            if above in way:
                name = snapshot.regions[above].name
                _fail(f"$.regions[{above}].children", f"lead back to it: {name!r} contains itself")
            way[above] = None
            above = container.get(above)
        done.update(way)


def _check_circles(snapshot: Snapshot) -> None:
    circle = find_circle(snapshot.regions)
    if circle:
        _fail(f"$.regions[{circle[0].id}]", endless(circle))


def _check_view(where: str, view: ViewInfo, count: int) -> None:
    if view.root_region is not None and not 0 <= view.root_region < count:
        _absent(f"{where}.root_region", view.root_region, count)
    end = 0
    for index, each in enumerate(view.ranges):
        here = f"{where}.ranges[{index}]"
        if each.size < 1:
            _fail(f"{here}.size", f"is {each.size}; expected 1 or more")
        if each.start < 0 or each.start + each.size > ADDRESS_SPACE_SIZE:
            _fail(here, f"is at {each.start:#x}, {exact_size(each.size)}; expected 0 to 2**64")
        if not 0 <= each.offset_in_region <= ADDRESS_SPACE_SIZE - each.size:
            _fail(
                f"{here}.offset_in_region",
                f"is {each.offset_in_region:#x}; expected room for {exact_size(each.size)} in"
                " 2**64",
            )
        _check_priority(here, each.priority)
        if each.start < end:
            _fail(
                f"{here}.start",
                f"is {each.start:#x}; the range before it ends at {end:#x}: expected ranges in"
                " order, without overlap",
            )
        if each.region is not None and not 0 <= each.region < count:
            _absent(f"{here}.region", each.region, count)
        end = each.start + each.size


def _absent(where: str, region: int, count: int) -> NoReturn:
    _fail(where, f"is {region}, and there are {count} regions")


def _fail(where: str, what: str) -> NoReturn:
    raise PeerError(f"malformed snapshot: {where} {what}")
