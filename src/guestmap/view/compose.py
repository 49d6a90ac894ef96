"""From a snapshot to a picture: sections become lanes beside one axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.inspect.map.printable import with_printable_texts
from guestmap.view.axis import FoldedAxis
from guestmap.view.detail import limited
from guestmap.view.flat_boxes import nobody
from guestmap.view.picture import Box, Label, Lane, Panel, Picture
from guestmap.view.sections import Family, Section, find_sections
from guestmap.view.tree_boxes import LaneKey, Layer
from guestmap.view.words import spaces_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from guestmap.inspect import Snapshot

_NARROW = 6.0
"""A lane of frames only is narrow if all of them are longer than this on the axis."""

_SEEN_BY = "seen by"

NOT_TO_SCALE = (
    "Not to scale: the height of a piece grows with the logarithm of its size,"
    " and stretches where nobody answers are folded."
)


def compose(snapshot: Snapshot, *, show_disabled: bool = False) -> Picture:
    """Return the picture of a snapshot.

    Args:
        snapshot: any; without trees there are only the lanes of its flat views.
        show_disabled: also show regions that are not enabled.
    """
    snapshot = with_printable_texts(snapshot)
    findings = find_sections(snapshot, show_disabled=show_disabled)
    families, said = limited(findings.families)
    notes = [NOT_TO_SCALE, *said]
    if findings.blind:
        notes.append(f"Show nothing (switched off or empty): {spaces_words(findings.blind)}.")
    off = sum(not region.enabled for region in snapshot.regions)
    if off and not show_disabled:
        notes.append(f"{off} disabled region{'s are' if off > 1 else ' is'} not drawn.")
    if not snapshot.regions:
        notes.append("The source has flat views only: what is hidden behind them is not known.")
    for family in families:
        for each in family.sections:
            if each.differs:
                names = spaces_words(each.spaces)
                notes.append(f"The tree as read does not quite make the flat view of {names}.")
    return Picture(
        title=f"Memory map of {snapshot.source or 'an unnamed source'}",
        subtitle=f"version: {snapshot.version}" if snapshot.version else "",
        panels=tuple(panel_of(family) for family in families),
        notes=tuple(notes),
    )


def panel_of(family: Family, *, others: Iterable[Family] = ()) -> Panel:
    """Return the panel of a family.

    Args:
        family: what is drawn.
        others: what else is drawn in its place, before or after it: its axis fits all of them, and
            what is in several of them has the same lane.
    """
    families = [family, *others]
    builder = PanelBuilder([section for each in families for section in each.sections])
    drawn = {section.spaces[0]: section for section in family.sections}
    for index, (name, like) in enumerate(_by_first_space(families).items()):
        section = drawn.get(name)
        if section is not None:
            builder.add_flat(section, spaces_words(section.spaces), index)
            builder.add_layers(section, index, like=like)
        else:
            builder.leave_room(like, index)
    return builder.panel(spaces_words(family.sections[0].spaces))


def _by_first_space(families: Iterable[Family]) -> dict[str, list[Section]]:
    """Return the sections of several families by what is shown first in them, in their order.

    Spaces are told in one order everywhere; those of the longest family lead, so that what is shown
    later in it than in others is not in between.
    """
    found: dict[str, list[Section]] = {}
    for each in sorted(families, key=lambda each: -len(each.sections)):
        for section in each.sections:
            found.setdefault(section.spaces[0], []).append(section)
    return found


class PanelBuilder:
    """Collects lanes for a panel whose axis fits all of ``sections``."""

    def __init__(self, sections: Iterable[Section]) -> None:
        self._sections = list(sections)
        self._end = max(section.end for section in self._sections)
        self._lanes: list[Lane] = []
        self._boxes: list[Box] = []
        self._labels: list[Label] = []
        self.axis = self._axis()

    def add_flat(self, section: Section, heading: str, index: int, *, about: str = "") -> None:
        """Add the lane of what a section's address spaces see."""
        heading = f"{_SEEN_BY}\n{heading}"
        about = about or f"what accesses reach in {', '.join(section.spaces)}"
        room = nobody(section.flat, self._end)
        both = Layer(section.flat.boxes + room.boxes, section.flat.labels + room.labels)
        self.add(Lane(heading, about, views=True, wide=True, section=index), both)

    def add_layers(
        self, section: Section, index: int, *, prefix: str = "", like: Sequence[Section] = ()
    ) -> None:
        """Add a lane for each layer of a section's tree, and of those like it."""
        for key, layers in _layers([section, *like]).items():
            heading, about = _layer_words(key)
            narrow = self._is_narrow(layers)
            lane = Lane(prefix + heading, prefix + about, narrow=narrow, section=index)
            self.add(lane, section.layers.get(key, Layer()))

    def leave_room(self, like: Sequence[Section], index: int) -> None:
        """Add lanes with nothing in them, where sections are that are not shown now."""
        self.add(Lane("", wide=True, section=index), Layer())
        for layers in _layers(like).values():
            self.add(Lane("", narrow=self._is_narrow(layers), section=index), Layer())

    def add(self, lane: Lane, layer: Layer) -> None:
        """Add a lane on the right of all others."""
        number = len(self._lanes)
        self._lanes.append(lane)
        self._boxes += [box._replace(lane=number) for box in layer.boxes]
        self._labels += [label._replace(lane=number) for label in layer.labels]

    def panel(self, title: str) -> Panel:
        """Return the panel."""
        lanes, boxes, labels = tuple(self._lanes), tuple(self._boxes), tuple(self._labels)
        return Panel(title, lanes, boxes, labels, self.axis)

    def _is_narrow(self, layers: Iterable[Layer]) -> bool:
        return all(self._is_long_frame(box) for layer in layers for box in layer.boxes)

    def _is_long_frame(self, box: Box) -> bool:
        long = self.axis.position(box.end) - self.axis.position(box.start) > _NARROW
        return box.state in ("frame", "background") and long

    def _axis(self) -> FoldedAxis:
        layers = [section.flat for section in self._sections]
        layers += [layer for section in self._sections for layer in section.layers.values()]
        boxes = [box for layer in layers for box in layer.boxes]
        edges = [0, self._end, *(edge for box in boxes for edge in (box.start, box.end))]
        full = ((b.start, b.end) for b in boxes if b.state not in ("frame", "background"))
        return FoldedAxis(edges, full)


def _layers(sections: Iterable[Section]) -> dict[LaneKey, list[Layer]]:
    """Return the layers of several sections by their keys, in the order of lanes."""
    found: dict[LaneKey, list[Layer]] = {}
    for section in sections:
        for key, layer in section.layers.items():
            found.setdefault(key, []).append(layer)
    return dict(sorted(found.items()))


def _layer_words(key: LaneKey) -> tuple[str, str]:
    heading = f"depth {key.depth}\nprio {-key.minus_priority}"
    about = f"regions {key.depth} below the root, of priority {-key.minus_priority}"
    if key.place:
        heading += f", older{key.place if key.place > 1 else ''}"
        about += ", older than those they overlap with on the left"
    return heading, about
