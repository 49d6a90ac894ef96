"""A picture of a memory map before it is drawn: what stands where, and what to say about it.

A :class:`Picture` is made of panels, one for each set of addresses (memory and I/O ports are not
the same addresses). A panel has one folded address axis, from top to bottom, and lanes side by
side: one for what each flat view shows, then one for each layer of the region tree, by depth and
priority, the higher priority nearer to the flat view. Drawing libraries are not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from guestmap.view.axis import FoldedAxis

Kind = Literal["ram", "rom", "romd", "ramd", "i/o", "container", "nobody"]
"""A region's type; ``container``: holds others only; ``nobody``: nothing answers there."""

State = Literal["seen", "hidden", "disabled", "frame", "background"]
"""How a box is drawn.

- ``seen``: what accesses reach; ``hidden``: they reach something else there;
- ``disabled``: out of the game, by itself or with what holds it;
- ``frame``: a container, which answers nothing itself;
- ``background``: the root of a space answers where nobody else does, or nobody does.
"""


class Box(NamedTuple):  # as Label: there are thousands, and these are made in half the time
    """Addresses ``start <= a < end`` of one lane.

    Attributes:
        title: what people call it; an alias and what it shows are one box: ``isa-bios → pc.bios``.
        offset: which byte of the region is at ``start``.
        priority: of the region, or of the alias that shows it, among its siblings.
        why: who hides it and by which rule, or what it hides.
        path: the names from the root to it.
        changed: whether it is not in the other of two maps.
    """

    lane: int
    start: int
    end: int
    title: str
    kind: Kind
    state: State
    priority: int = 0
    offset: int = 0
    why: str = ""
    path: str = ""
    owner: str = ""
    changed: bool = False


class Label(NamedTuple):
    """Words for the run of boxes ``start`` to ``end`` that belong together.

    ``faint``: of less weight than others; ``hatched``: they stand on hatched boxes.
    """

    lane: int
    start: int
    end: int
    text: str
    detail: str = ""
    faint: bool = False
    hatched: bool = False


@dataclass(frozen=True, slots=True)
class Lane:
    """A column.

    Attributes:
        views: it shows what accesses reach.
        narrow, wide: how much room it needs: ``narrow`` holds long frames only.
        section: lanes of one section stand closer together.
    """

    heading: str
    about: str = ""
    views: bool = False
    narrow: bool = False
    wide: bool = False
    section: int = 0


@dataclass(frozen=True, slots=True)
class Panel:
    """Lanes beside one axis."""

    title: str
    lanes: tuple[Lane, ...]
    boxes: tuple[Box, ...]
    labels: tuple[Label, ...]
    axis: FoldedAxis


@dataclass(frozen=True, slots=True)
class Picture:
    """All panels of a source; ``notes`` say what is not shown, and what may be wrong.

    Attributes:
        causes: what probably made the difference, the likeliest first.
    """

    title: str
    subtitle: str
    panels: tuple[Panel, ...]
    notes: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
