"""Marks of a cut that mean one only where the listing goes on: elsewhere they mean another thing.

``grep -A`` puts ``--`` between what it found in two places; people write ``---`` or ``etc.`` for
lines that they left out. Behind a listing the first two are the rule above a signature.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guestmap.inspect.text.pasted.forms import Kind, kind_of

if TYPE_CHECKING:
    from guestmap.inspect.text.pasted.prefixes import Line

_MARK = re.compile(r"--|---|(?:and so on|etc)(?:\.|\.\.\.|…)", re.IGNORECASE)


def with_cuts_marked(lines: list[Line]) -> list[Line]:
    """Return the lines with three dots for each such mark between two regions."""
    marked = list(lines)
    for place, line in enumerate(lines):
        around = lines[max(place - 1, 0) : place] + lines[place + 1 : place + 2]
        if len(around) == 2 and _MARK.fullmatch(line.text) and all(map(_is_region, around)):
            marked[place] = line._replace(text="...")
    return marked


def _is_region(line: Line) -> bool:
    return kind_of(line.text) == Kind.REGION
