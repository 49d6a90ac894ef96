"""Listings that were cut at one column, as a terminal does that scrolls to the side.

What is left of a name is a name. But where many lines end in the last column, and with different
words, no listing of QEMU's does so by itself: those of one width there have names of one pattern.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guestmap.base import PeerError
from guestmap.inspect.pasted.forms import CORE, HEX, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.inspect.pasted.wrapped import Joined

_MANY = 4
"""Endings that no listing has there: recordings of all machines of two versions have up to three,
and parts of such that begin with a heading as well."""

_WHOLE = re.compile(rf"(?: (?:@{HEX}|KVM|kvm|HVF|hvf|orphan|\[disabled\]|{HEX}-{HEX})|\}})$")
_DIGITS = re.compile(r"[0-9]+")


def cut_column(lines: Sequence[tuple[int, str]]) -> int | None:
    """Return the column at which a listing was cut; None: at none.

    Args:
        lines: width and text, without indentation, of the regions.
    """
    widest = max((width for width, _ in lines), default=0)
    endings = {
        _DIGITS.sub("#", text).rsplit(" ", 1)[-1]
        for width, text in lines
        if width == widest and CORE.match(text) and not _WHOLE.search(text)
    }
    return widest if len(endings) >= _MANY else None


def check_columns(whole: Sequence[Joined]) -> None:
    """Refuse a listing, if it begins with a heading, whose lines were cut at one column.

    A part without its heading may be any lines that somebody picked; and where lines were broken
    none was cut.

    Raises:
        PeerError: it was cut; says the first line that reaches there.
    """
    own = [each for each in whole if each.kind in (Kind.REGION, Kind.HEADING)]
    if not own or own[0].kind == Kind.REGION or any(each.parts > 1 for each in own):
        return
    regions = [each.line for each in own if each.kind == Kind.REGION]
    column = cut_column([(line.width, line.text) for line in regions])
    if column is not None:
        number = next(line.number for line in regions if line.width == column)
        raise PeerError(
            f"info mtree text, line {number}: names end in column {column}, where many lines do:"
            " the listing seems cut there: print it into a file, or paste it from a wider window"
        )
