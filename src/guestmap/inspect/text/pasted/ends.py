"""The end of a pasted text: whether its last region's line is whole, as far as that can be told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guestmap.inspect.text.pasted.characters import without_escapes
from guestmap.inspect.text.pasted.forms import CORE, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.inspect.text.pasted.wrapped import Joined


def has_open_end(text: str, whole: Sequence[Joined]) -> bool:
    """Tell whether the last region's line has no end: it may be cut, and more may be missing.

    It is so at the very end of a text, and where what somebody put behind the text (a fence, a tag)
    stands on that line, and on no other.

    Args:
        text: as it was pasted, its lines ended by line feeds.
        whole: its lines.
    """
    lines = text.split("\n")
    regions = [each for each in whole if each.kind == Kind.REGION]
    if not regions:
        return False
    behind = _behind(regions[-1], lines)
    if regions[-1] is whole[-1] and behind == "" and not text.endswith("\n"):
        return True
    if not behind or behind[0].isspace():
        return False
    return all(_behind(each, lines) != behind for each in regions[:-1])


def without_half_name(whole: list[Joined]) -> list[Joined]:
    """Leave out the last region where its name is the start of another one, and is none itself."""
    index = max(i for i, each in enumerate(whole) if each.kind == Kind.REGION)
    core = CORE.match(whole[index].line.text)
    name = whole[index].line.text[core.end() :] if core else ""
    others = whole[:index] + whole[index + 1 :]
    words = {word for each in others for word in re.split(r"[ \"]", each.line.text)}
    if not name or name in words or not any(word.startswith(name) for word in words):
        return whole
    return others


def _behind(region: Joined, lines: Sequence[str]) -> str | None:
    """Return what stands behind a region on its last line; None: that is not seen."""
    last = lines[region.line.number + region.parts - 2]
    word = region.line.text.rsplit(" ", 1)[-1]
    _, found, behind = last.rpartition(word)
    return without_escapes(behind).rstrip(" ") if found else None
