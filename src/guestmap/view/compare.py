"""Two maps in one picture: both beside one axis, and between them what changed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, cast

from guestmap.inspect.ask.diff import diff
from guestmap.inspect.ask.view_diff import range_changes
from guestmap.inspect.map.printable import with_printable_texts
from guestmap.view.compose import NOT_TO_SCALE, PanelBuilder
from guestmap.view.detail import MOST_PANELS, thinned
from guestmap.view.flat_boxes import flat_label
from guestmap.view.picture import Box, Label, Lane, Panel, Picture
from guestmap.view.sections import Family, Section, find_sections
from guestmap.view.tree_boxes import LaneKey, Layer
from guestmap.view.words import hex_address, spaces_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from guestmap.inspect import Snapshot
    from guestmap.inspect.ask.view_diff import RangeChange
    from guestmap.view.picture import Kind


_MOST_CAUSES = 6


def compare(before: Snapshot, after: Snapshot, *, show_disabled: bool = False) -> Picture:
    """Return the picture of two maps, what is not the same in both marked as changed.

    Both lie beside one axis, so what is on one line is at one address. Address spaces are matched
    by name.
    """
    before, after = with_printable_texts(before), with_printable_texts(after)
    old = find_sections(before, show_disabled=show_disabled).families
    new = find_sections(after, show_disabled=show_disabled).families
    matched = list(matched_families(old, new))
    if len(matched) > MOST_PANELS:  # then what changed comes first
        matched.sort(key=lambda pair: not _has_changes(*pair))
    drawn, left = matched[:MOST_PANELS], matched[MOST_PANELS:]
    thinned(section for pair in drawn for family in pair for section in family.sections)
    notes = [NOT_TO_SCALE, "Of the trees only layers are drawn in which something changed."]
    if left:
        notes.append(f"{len(left):,} of {len(matched):,} maps are not drawn, for want of room.")
    return Picture(
        title="What changed in a memory map",
        subtitle=f"A: {_source(before)} – B: {_source(after)}",
        panels=tuple(_panel(one, other) for one, other in drawn),
        notes=tuple(notes),
        causes=tuple(_causes(before, after)),
    )


def _causes(before: Snapshot, after: Snapshot) -> Iterator[str]:
    causes = diff(before, after).causes
    for cause in causes[:_MOST_CAUSES]:
        yield cause.text
    if len(causes) > _MOST_CAUSES:
        yield f"and {len(causes) - _MOST_CAUSES} more, which 'guestmap diff' tells"


def _source(snapshot: Snapshot) -> str:
    version = f" ({snapshot.version})" if snapshot.version else ""
    return (snapshot.source or "unnamed") + version


def change_words(change: RangeChange) -> str:
    """Return what became of an answer, in a few words."""
    old, new = change.before, change.after
    if old and new and old.name == new.name:
        if old.type != new.type:
            return f"{old.name}: {old.type} → {new.type}"
        if old.offset != new.offset:
            return f"{old.name}: +{hex_address(old.offset)} → +{hex_address(new.offset)}"
        return f"{old.name}: {'not ' if old.nonvolatile else 'now '}nonvolatile"
    if old and new and old.type != new.type:
        return f"{old.type} {old.name} → {new.type} {new.name}"
    return f"{old.name if old else 'nobody'} → {new.name if new else 'nobody'}"


def matched_families(
    old: Sequence[Family], new: Sequence[Family]
) -> Iterator[tuple[Family, Family]]:
    """Yield the families of both that have an address space in common, then those of one only."""
    left = list(new)
    for family in old:
        names = {name for section in family.sections for name in section.spaces}
        other = next(
            (f for f in left if any(names & set(section.spaces) for section in f.sections)), None
        )
        if other is not None:
            left.remove(other)
        yield family, other or Family([])
    for family in left:
        yield Family([]), family


def _matched_sections(old: Family, new: Family) -> Iterator[tuple[Section | None, Section | None]]:
    left = list(new.sections)
    for section in old.sections:
        other = next((each for each in left if set(each.spaces) & set(section.spaces)), None)
        if other is not None:
            left.remove(other)
        yield section, other
    for section in left:
        yield None, section


def _has_changes(old: Family, new: Family) -> bool:
    return any(
        (one.ranges if one else ()) != (other.ranges if other else ())
        for one, other in _matched_sections(old, new)
    )


def _panel(old: Family, new: Family) -> Panel:
    builder = PanelBuilder([*old.sections, *new.sections])
    count = 0
    for index, (one, other) in enumerate(_matched_sections(old, new)):
        count += _add_pair(builder, one, other, index)
    names = spaces_words((old.sections or new.sections)[0].spaces)
    return builder.panel(f"{names}: {count or 'not'} changed")


def marked_family(old: Family, new: Family) -> Family:
    """Return ``new`` with what is not so in ``old`` marked."""
    marked: list[Section] = []
    for one, other in _matched_sections(old, new):
        found = range_changes(one.ranges if one else (), other.ranges if other else ())
        if other is not None:
            layers = _marked(other, one)
            marked.append(replace(other, flat=_cut(other.flat, found), layers=layers))
    return Family(marked)


def _add_pair(builder: PanelBuilder, old: Section | None, new: Section | None, index: int) -> int:
    """Add the lanes of what some address spaces saw and see; return how many changes there are."""
    found = range_changes(old.ranges if old else (), new.ranges if new else ())
    sides = (("A", old), ("B", new))
    for letter, section in sides:
        if section is not None:
            marked = replace(section, flat=_cut(section.flat, found))
            heading = f"{letter}: {_few_words(section.spaces)}"
            builder.add_flat(marked, heading, 3 * index)
        if letter == "A":
            heading = "changed\nfrom A to B"
            builder.add(
                Lane(heading, "what accesses reach", wide=True, section=3 * index), _changed(found)
            )
    for place, (letter, section) in enumerate(sides, 1):
        if section is not None:
            others = new if section is old else old
            layers = _marked(section, others)
            changed = {key: layer for key, layer in layers.items() if _has_changed(layer)}
            marked = replace(section, layers=changed)
            builder.add_layers(marked, 3 * index + place, prefix=f"{letter}: ")
    return len(found)


def _few_words(spaces: Sequence[str]) -> str:
    """Return names for a heading, in which there is no room for many."""
    return spaces[0] if len(spaces) == 1 else f"{spaces[0]} and {len(spaces) - 1} more"


def _has_changed(layer: Layer) -> bool:
    return any(box.changed for box in layer.boxes)


def _cut(flat: Layer, found: Sequence[RangeChange]) -> Layer:
    """Cut the boxes of a flat view at the changes, and mark those that changed."""
    layer = Layer()
    for box in flat.boxes:
        edges = {box.start, box.end}
        inside = [each for each in found if each.start < box.end and box.start < each.end]
        for each in inside:
            edges |= {max(each.start, box.start), min(each.end, box.end)}
        for start, end in pairwise(sorted(edges)):
            changed = any(each.start <= start < each.end for each in inside)
            offset = box.offset + start - box.start
            piece = box._replace(start=start, end=end, offset=offset, changed=changed)
            layer.boxes.append(piece)
            layer.labels.append(flat_label(piece))
    return layer


def _changed(found: Sequence[RangeChange]) -> Layer:
    layer = Layer()
    for change in found:
        words = change_words(change)
        kind = cast("Kind", change.after.type) if change.after else "nobody"
        box = Box(0, change.start, change.end, words, kind, "seen", changed=True)
        layer.boxes.append(box)
        layer.labels.append(Label(0, change.start, change.end, words))
    return layer


def _marked(section: Section, other: Section | None) -> dict[LaneKey, Layer]:
    """Mark the boxes of a tree that are not the same in the other map."""
    there = {_box_fact(box) for layer in (other.layers if other else {}).values()
             for box in layer.boxes}  # fmt: skip
    return {
        key: Layer([box._replace(changed=_box_fact(box) not in there) for box in layer.boxes],
                   layer.labels)
        for key, layer in section.layers.items()
    }  # fmt: skip


def _box_fact(box: Box) -> tuple[object, ...]:
    """Return what makes a box the same in two maps; who hides it does not matter."""
    return box.title, box.start, box.end, box.kind, box.state, box.priority, box.offset, box.path
