"""Listings that were cut at one column, as a terminal does that scrolls to the side.

What is left of a name is a name. But where many lines end in the last column, and with different
words, no listing of QEMU's does so by itself: those of one width there have names of one pattern.
Nor does a word stand there alone of which the listing has the whole elsewhere, or half a bracket.
Where none of that is so, a few names may have been cut all the same: that is said.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING

from guestmap.base import PeerError
from guestmap.inspect.text.pasted.characters import without_escapes
from guestmap.inspect.text.pasted.forms import CORE, HEX, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from guestmap.inspect.text.pasted.wrapped import Joined

_MANY = 4
"""Endings that no listing has there: recordings of all machines of two versions have up to three,
and parts of such that begin with a heading as well."""

_SHORT = 2
"""So few letters begin many words."""

_FEW = 12
"""Regions; who pastes fewer sees their ends."""

_WINDOWS = frozenset((80, 100, 120, 132, 160))
"""Columns of usual windows and printers."""

_OPEN_END = re.compile(r"[-._/:(\[{]$")
"""No name ends so."""

_WHOLE = re.compile(rf"(?: (?:@{HEX}|KVM|kvm|HVF|hvf|orphan|\[disabled\]|{HEX}-{HEX})|[\]\)}}])$")
_DIGITS = re.compile(r"[0-9]")


def cut_column(lines: Sequence[tuple[int, str]]) -> int | None:
    """Return the column at which a listing was cut; None: at none.

    Args:
        lines: width and text, without indentation, of the regions.
    """
    last = _last_words(lines)
    is_cut = (
        len({_DIGITS.sub("#", each) for each in last}) >= _MANY
        or any(_OPEN_END.search(each) or _is_half_bracket(each) for each in last)
        or _begin_others(last, lines)
    )
    return _widest(lines) if is_cut else None


def doubts_of(lines: Sequence[tuple[int, str]]) -> tuple[str, ...]:
    """Return a note where names end in the last column, and nothing tells whether they go on.

    Args:
        lines: as for :func:`cut_column`.
    """
    widest = _widest(lines)
    last = _last_words(lines)
    if not last or (len(lines) < _FEW and widest not in _WINDOWS):
        return ()
    if last <= {word for width, text in lines if width < widest for word in text.split(" ")}:
        return ()
    note = (
        f"the widest lines end in a name, in column {widest}: if they were cut there, names lack"
        " their ends, and offsets and marks behind them are missing"
    )
    return (note,)


def _widest(lines: Sequence[tuple[int, str]]) -> int:
    return max((width for width, _ in lines), default=0)


def _last_words(lines: Sequence[tuple[int, str]]) -> set[str]:
    """Return the words of names in which the widest lines end."""
    widest = _widest(lines)
    return {
        text.rsplit(" ", 1)[-1]
        for width, text in lines
        if width == widest and CORE.match(text) and not _WHOLE.search(text)
    }


def _is_half_bracket(word: str) -> bool:
    word = without_escapes(word)
    return word.count("[") != word.count("]") or word.count("(") != word.count(")")


def _begin_others(last: set[str], lines: Sequence[tuple[int, str]]) -> bool:
    """Tell whether a word at the end begins another one, and stands nowhere else itself."""
    if not last:
        return False
    words = {word.lstrip("@") for _, text in lines for word in text.split(" ")}
    inner = {word for _, text in lines for word in text.split(" ")[:-1]}
    alone = [each for each in last - inner if len(each) > _SHORT]
    in_order = sorted(words)
    return any(
        word[len(each) : len(each) + 1].isalpha()
        for each in alone
        for word in _beginning_with(each, in_order)
    )


def _beginning_with(start: str, in_order: list[str]) -> Iterator[str]:
    """Yield the words of a sorted list that begin so: they stand together."""
    for at in range(bisect_left(in_order, start), len(in_order)):
        if not in_order[at].startswith(start):
            return
        yield in_order[at]


def check_columns(whole: Sequence[Joined]) -> tuple[str, ...]:
    """Refuse a listing, if it begins with a heading, whose lines were cut at one column.

    A part without its heading may be any lines that somebody picked; and where lines were broken
    none was cut. Returns notes on what may have been cut all the same.

    Raises:
        PeerError: it was cut; says the first line that reaches there.
    """
    own = [each for each in whole if each.kind in (Kind.REGION, Kind.HEADING)]
    if not own or any(each.parts > 1 for each in own):
        return ()
    regions = [each.line for each in own if each.kind == Kind.REGION]
    lines = [(line.width, line.text) for line in regions]
    column = cut_column(lines) if own[0].kind == Kind.HEADING else None
    if column is not None:
        number = next(line.number for line in regions if line.width == column)
        raise PeerError(
            f"info mtree text, line {number}: names end in column {column}, where many lines do:"
            " the listing seems cut there: print it into a file, or paste it from a wider window"
        )
    return doubts_of(lines)
