"""Which regions can show in some view: ``MemoryRegion._live`` counts the reasons.

A region is live that is a view's root, whose container is live, or that a live alias shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

    from guestmap.memory.map.region import MemoryRegion


def ref_live(region: MemoryRegion) -> None:
    """Count one more reason why ``region`` can show, and all below it."""
    todo = [region]
    while todo:
        each = todo.pop()
        each._live += 1
        if each._live > 1:
            continue
        todo.extend(each.children.members)
        if each.alias is not None:
            each.alias._live_aliases[each] = None
            todo.append(each.alias)


def unref_live(region: MemoryRegion, roots: Container[MemoryRegion | None]) -> None:
    """Undo :func:`ref_live`; ``roots`` are the regions that are rendered."""
    dying: set[MemoryRegion] = set()
    todo = [region]
    while todo:
        each = todo.pop()
        each._live -= 1
        if each in dying or (each._live and _is_shown(each, dying, roots)):
            continue
        dying.add(each)
        todo.extend(each.children.members)
        if each.alias is not None:
            del each.alias._live_aliases[each]
            todo.append(each.alias)


def _is_shown(
    region: MemoryRegion, dying: set[MemoryRegion], roots: Container[MemoryRegion | None]
) -> bool:
    """Tell whether a root leads here; a region that aliases itself keeps its own count up."""
    seen = set(dying)
    todo = [region]
    while todo:
        each: MemoryRegion | None = todo.pop()
        climbed: list[MemoryRegion] = []
        while each is not None and each._live and each not in seen:
            if each in roots:
                return True
            seen.add(each)
            climbed.append(each)
            each = each.container
        for passed in climbed:
            todo.extend(passed._live_aliases)
    return False
