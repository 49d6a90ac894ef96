"""Write ``info mtree -f`` (flags ``-o`` and ``-d``) from a snapshot, as QEMU 7.2 does.

The order of the views is not defined in QEMU (it follows a hash of pointers); here it is the
snapshot's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.inspect.mtree.dispatch import dispatch_of
from guestmap.inspect.mtree.write import INDENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.inspect.snapshot import DispatchInfo, RangeInfo, Snapshot, ViewInfo


def write_flat(snapshot: Snapshot, *, owner: bool = False, dispatch: bool = False) -> str:
    """Return the flat views as text, every line ended by a newline.

    Args:
        snapshot: whose views.
        owner: append who owns each range's region (``-o``), where the snapshot knows it.
        dispatch: append the dispatch tree (``-d``); computed where the snapshot holds none.
    """
    lines = (
        line
        for number, view in enumerate(snapshot.views)
        for line in _view(number, view, owner=owner, dispatch=dispatch)
    )
    return "".join(f"{line}\n" for line in lines)


def _view(number: int, view: ViewInfo, *, owner: bool, dispatch: bool) -> Iterator[str]:
    yield f"FlatView #{number}"
    for user in view.users:
        alias = "" if user.alias is None else f", alias {user.alias}"
        yield f' AS "{user.name}", root: {user.root}{alias}'
    yield f" Root memory region: {'(none)' if view.root is None else view.root}"
    if not view.ranges:
        yield f"{INDENT}No rendered FlatView"
        yield ""
        return
    for each in view.ranges:
        yield _range(each, owner=owner)
    if dispatch and view.root is not None:
        yield from _dispatch(view.dispatch or dispatch_of(view))
    yield ""


def _range(each: RangeInfo, *, owner: bool) -> str:
    kind = f"nv-{each.type}" if each.nonvolatile else each.type
    return (
        f"{INDENT}{each.start:016x}-{each.start + each.size - 1:016x}"
        f" (prio {each.priority}, {kind}): {each.name}"
        f"{f' @{each.offset_in_region:016x}' if each.offset_in_region else ''}"
        f"{f' {each.owner}' if owner and each.owner else ''}"
        f"{''.join(f' {word}' for word in each.accelerator)}"
    )


def _dispatch(info: DispatchInfo) -> Iterator[str]:
    yield "  Dispatch"
    yield "    Physical sections"
    for number, section in enumerate(info.sections):
        marks = "".join(f" [{mark}]" for mark in section.marks)
        alias = "" if section.alias is None else f" alias={section.alias}"
        yield (
            f"      #{number} @{section.start:016x}..{section.start + section.size - 1:016x}"
            f" {section.name}{marks}{alias}"
        )
    yield (
        f"    Nodes ({info.bits} bits per level, {info.levels} levels)"
        f" ptr=[{info.root_pointer}] skip={info.root_skip}"
    )
    for number, entries in enumerate(info.nodes):
        yield f"      [{number}]"
        for entry in entries:
            where = f"{entry.first:3}      "
            if entry.last != entry.first:
                where = f"{entry.first:3}..{entry.last:<3} "
            if entry.pointer is None:
                pointer = "NIL"
            else:
                pointer = f"[{entry.pointer}]" if entry.skip else f"#{entry.pointer}"
            yield f"\t{where} skip={entry.skip}  ptr={pointer}"
