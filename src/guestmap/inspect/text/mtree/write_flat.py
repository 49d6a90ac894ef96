"""Write ``info mtree -f`` (flags ``-o`` and ``-d``), as a version of QEMU does.

From a snapshot in any dialect that has views as they are since 2.11, or straight from the views
that our own model has published, as QEMU 7.2 does: a snapshot of a whole machine takes several
times as long as the text.

The order of the views is not defined in QEMU (it follows a hash of pointers); here it is the
snapshot's, which is that of the address spaces' creation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.inspect.map.capture import shared_views
from guestmap.inspect.text.mtree.dialects import OURS, Dialect, dialect_of, parentless_names
from guestmap.inspect.text.mtree.dispatch import dispatch_of
from guestmap.inspect.text.mtree.write import INDENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from guestmap.inspect.map.snapshot import DispatchInfo, RangeInfo, Snapshot, ViewUser
    from guestmap.memory import MemoryRegion, MemorySystem


def write_flat(
    snapshot: Snapshot,
    *,
    owner: bool = False,
    dispatch: bool = False,
    dialect: Dialect | None = None,
) -> str:
    """Return the flat views as text, every line ended by a newline.

    Args:
        snapshot: whose views.
        dialect: which version's; None: that of the snapshot's source.
        owner: append who owns each range's region (``-o``), where the snapshot knows it.
        dispatch: append the dispatch tree (``-d``); computed where the snapshot holds none.

    Raises:
        ConfigError: the version prints no views, or in a form that is not written here.
    """
    form = dialect or dialect_of(snapshot)
    if form.views != OURS.views:
        raise ConfigError(
            f"flat views are written as QEMU 2.11 and later print them, not as {form.name} does"
        )
    word = _words(snapshot, form)
    lines: list[str] = []
    for number, view in enumerate(snapshot.views):
        lines += _heading(number, view.users, view.root, empty=not view.ranges)
        lines += [
            _range(
                each.start,
                each.start + each.size - 1,
                each.priority,
                word(each),
                each.name,
                each.offset_in_region,
                (each.owner if owner else None, *each.accelerator),
            )
            for each in view.ranges
        ]
        if dispatch and view.ranges and view.root is not None:
            lines += _dispatch(view.dispatch or dispatch_of(view))
        lines.append("")
    return _text(lines)


def _words(snapshot: Snapshot, form: Dialect) -> Callable[[RangeInfo], str]:
    """Return what says the word for a range's type.

    Where the source does not tell whether the region lies in another, the trees do: by its id, or
    else by its name.
    """
    contained = snapshot.containers
    names = parentless_names(snapshot.regions) if form.parentless else frozenset()

    def word(each: RangeInfo) -> str:
        known = each.name in names if each.region is None else each.region not in contained
        parentless = each.parentless or known
        return form.word(each.type, parentless=parentless, nonvolatile=each.nonvolatile)

    return word


def write_live_flat(
    memory: MemorySystem, *, owner: Callable[[MemoryRegion], str | None] | None = None
) -> str:
    """Return the text of ``write_flat`` for the views that ``memory`` has published.

    Args:
        memory: what to look at.
        owner: returns what to append of a region's owner (``-o``); None: nothing.
    """
    lines: list[str] = []
    for number, (view, users) in enumerate(shared_views(memory.address_spaces)):
        root = None if view.root is None else view.root.name
        lines += _heading(number, users, root, empty=not len(view))
        for each in view:
            region, kind = each.region, each.mtree_type()
            lines.append(
                _range(
                    each.start,
                    each.end - 1,
                    region.priority,
                    f"nv-{kind}" if each.nonvolatile else kind,
                    region.name,
                    each.offset_in_region,
                    () if owner is None else (owner(region),),
                )
            )
        lines.append("")
    return _text(lines)


def _text(lines: list[str]) -> str:
    return "\n".join([*lines, ""])


def _heading(
    number: int, users: tuple[ViewUser, ...], root: str | None, *, empty: bool
) -> Iterator[str]:
    yield f"FlatView #{number}"
    for user in users:
        alias = "" if user.alias is None else f", alias {user.alias}"
        yield f' AS "{user.name}", root: {user.root}{alias}'
    yield f" Root memory region: {'(none)' if root is None else root}"
    if empty:
        yield f"{INDENT}No rendered FlatView"


def _range(
    start: int,
    last: int,
    priority: int,
    kind: str,
    name: str,
    offset: int,
    behind: tuple[str | None, ...],
) -> str:
    words = "".join(f" {word}" for word in behind if word) if behind else ""
    return (
        f"{INDENT}{start:016x}-{last:016x} (prio {priority}, {kind}): {name}"
        f"{f' @{offset:016x}' if offset else ''}{words}"
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
