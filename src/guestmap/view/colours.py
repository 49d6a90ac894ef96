"""What types and states look like: told apart on screen, in print, and without seeing colours.

The hues follow Okabe and Ito's palette ("Color Universal Design", 2008), lightened so that black
words are readable on them; the types also differ in lightness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.view.picture import Kind, State

COLOURS: dict[Kind, str] = {
    "ram": "#9bd3b4",
    "rom": "#f6d77c",
    "romd": "#eba45c",
    "ramd": "#5fae9f",
    "i/o": "#9cc7ee",
    "container": "#efefef",
    "nobody": "#ffffff",
}

MEANINGS: dict[Kind, str] = {
    "ram": "RAM",
    "rom": "ROM",
    "romd": "ROM device",
    "ramd": "RAM device",
    "i/o": "I/O",
    "container": "container",
    "nobody": "nobody answers",
}

INK = "#1b1b1b"
FAINT_INK = "#6b6b6b"
LINE = "#7d7d7d"
MARK = "#d1005b"
"""For what changed, and for what a search found."""
FLOW_INK = "#00745c"

FOLD = "#f3f0e8"
"""Behind folded addresses, across all lanes."""

PAPER = "#ffffffc8"
"""Behind words that stand on hatched boxes."""

_PALE = 0.62


@dataclass(frozen=True, slots=True)
class Look:
    """Fill, hatch and outline of a box; ``dashed``: the outline is."""

    fill: str
    hatched: bool = False
    line: str = LINE
    dashed: bool = False


def look(kind: Kind, state: State) -> Look:
    """Return what a box looks like."""
    if state == "hidden":
        return Look(pale(COLOURS[kind]), hatched=True, line="#b5b5b5")
    if state == "disabled":
        return Look("#ffffff", line="#b5b5b5", dashed=True)
    if state == "frame":
        return Look(COLOURS["container"], line="#b5b5b5")
    if state == "background":
        return Look(FOLD if kind == "nobody" else "#fafafa", line="#d9d9d9")
    return Look(COLOURS[kind])


def pale(colour: str) -> str:
    """Return a colour mixed with white."""
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(p + (255 - p) * _PALE):02x}" for p in parts)
