"""Whether a region may be placed somewhere: in that container, at that offset, among siblings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.memory.map.checks import checked_address, whole

if TYPE_CHECKING:
    from guestmap.memory.map.region import MemoryRegion


def check_adoption(
    parent: MemoryRegion, offset: object, child: MemoryRegion, priority: object
) -> tuple[int, int]:
    """Return offset and priority as numbers, if ``child`` may become a subregion of ``parent``.

    Raises:
        ConfigError: it may not.
        StateError: the memory system is closed.
    """
    if not hasattr(child, "container"):
        raise ConfigError(f"cannot add {child!r} to {parent.name!r}: give a region")
    what = f"cannot add region {child.name!r} to {parent.name!r}"
    parent.check_open()
    number = whole(priority)
    if number is None:
        raise ConfigError(f"{what}: priority {priority!r} is no whole number")
    problem = _problem(parent, child)
    if problem:
        raise ConfigError(f"{what}: {problem}")
    return checked_address(f"{what}: offset", offset), number


def _problem(parent: MemoryRegion, child: MemoryRegion) -> str:
    if parent.alias is not None:
        return f"{parent.name!r} is an alias of {parent.alias.name!r} and holds no subregions"
    if child.container is not None:
        return (
            f"it already is in {child.container.name!r} at 0x{child.addr:x}:"
            " remove it there first, or add an alias of it"
        )
    if child.system is not parent.system:
        return f"it belongs to another machine than {parent.name!r}"
    if child.freed:
        return "it was freed"
    above: MemoryRegion | None = parent
    while above is not None:
        if above is child:
            return f"it would contain itself through {parent.name!r}"
        above = above.container
    return ""


def check_free(parent: MemoryRegion, offset: int, child: MemoryRegion, overlap: str) -> None:
    """Check that ``child`` would lie inside ``parent``, and over no sibling, disabled or not.

    Raises:
        ConfigError: it would not; the message names who is there.
    """
    if overlap != "refuse":
        raise ConfigError(f"overlap {overlap!r} is unknown: give 'allow' or 'refuse'")
    end = offset + child.size
    what = f"cannot add region {child.name!r} to {parent.name!r} at 0x{offset:x}-0x{end - 1:x}"
    if end > parent.size:
        raise ConfigError(f"{what}: it would reach beyond its end at 0x{parent.size - 1:x}")
    taken = parent.children.within(offset, end)
    if taken:
        there = ", ".join(f"{t.name!r} (0x{t.addr:x}-0x{t.addr + t.size - 1:x})" for t in taken[:4])
        gap = next(parent.gaps(child.size), None)
        hint = f"the first gap that is large enough is at 0x{gap.start:x}" if gap else "no gap fits"
        raise ConfigError(f"{what}: there is {there}; {hint}")
