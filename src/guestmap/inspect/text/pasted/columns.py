"""Listings that were cut at one column, as a terminal does that scrolls to the side.

What is left of a name is a name. But where many lines end in the last column, and with different
words, no listing of QEMU's does so by itself: those of one width there have names of one pattern.
Nor does a word stand there alone of which the listing has the whole elsewhere, or half a bracket.
Where none of that is so, a few names may have been cut all the same: that is said.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from guestmap.base import PeerError
from guestmap.inspect.text.pasted.characters import without_escapes
from guestmap.inspect.text.pasted.forms import CORE, HEX, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

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

_OPEN_ENDS = frozenset("-._/:([{")
"""No name ends so."""

_BRACKETS = frozenset("[]()")

_WHOLE = re.compile(rf"(?: (?:@{HEX}|KVM|kvm|HVF|hvf|orphan|\[disabled\]|{HEX}-{HEX})|[\]\)}}])$")
_LONGEST_END = 40
"""Characters of what that looks for, and more."""

_NUMBER = re.compile(r"(?<![0-9a-f])[0-9a-f]*\d[0-9a-f]*")
"""Decimal or hexadecimal: names are numbered so."""


class RightEdge:
    """Where the widest lines of a listing end.

    Args:
        lines: width and text, without indentation, of the regions.

    Attributes:
        column: the width of the widest.
    """

    def __init__(self, lines: Sequence[tuple[int, str]]) -> None:
        self._lines = lines
        self.column = max((width for width, _ in lines), default=0)
        self._last = {
            text.rsplit(" ", 1)[-1]
            for width, text in lines
            if width == self.column and CORE.match(text) and not _is_whole(text)
        }
        """The words of names in which they end."""

    @property
    def cuts(self) -> bool:
        """Whether the listing was cut there."""
        return (
            len({_NUMBER.sub("#", each) for each in self._last}) >= _MANY
            or any(each[-1:] in _OPEN_ENDS or _is_half_bracket(each) for each in self._last)
            or _begin_others(self._last, self._lines)
        )

    def doubts(self) -> tuple[str, ...]:
        """Return a note where names end in the last column, and nothing tells if they go on."""
        last, widest = self._last, self.column
        if not last or (len(self._lines) < _FEW and widest not in _WINDOWS):
            return ()
        if last <= {word for width, text in self._lines if width < widest
                    for word in text.split(" ")}:  # fmt: skip
            return ()
        if self._is_series():
            return ()
        note = (
            f"the widest lines end in a name, in column {widest}: if they were cut there, names"
            " lack their ends, and offsets and marks behind them are missing"
        )
        return (note,)

    def _is_series(self) -> bool:
        """Tell whether those names are numbered: cut at one column they would end alike."""
        series = {_NUMBER.sub("#", each) for each in self._last}
        if len(series) < len(self._last):
            return len(series) == 1
        narrower = (text for width, text in self._lines if width < self.column)
        return series <= {_NUMBER.sub("#", each.rsplit(" ", 1)[-1]) for each in narrower}


def _is_whole(text: str) -> bool:
    return _WHOLE.search(text, max(0, len(text) - _LONGEST_END)) is not None


def _is_half_bracket(word: str) -> bool:
    if not _BRACKETS.isdisjoint(word):
        word = without_escapes(word)
        return word.count("[") != word.count("]") or word.count("(") != word.count(")")
    return False


def _begin_others(last: set[str], lines: Sequence[tuple[int, str]]) -> bool:
    """Tell whether a word at the end begins another one, and stands nowhere else itself."""
    if not last:
        return False
    inner: set[str] = set()
    ends: set[str] = set()
    for _, text in lines:
        *before, end = (text.partition("): ")[2] or text).split(" ")  # no word of a name before
        inner.update(before)
        ends.add(end)
    alone = {each for each in last - inner if len(each) > _SHORT}
    in_order = sorted({word.lstrip("@") for word in inner | ends})
    for at, (word, after) in enumerate(pairwise(in_order), 1):
        if after.startswith(word) and word in alone:  # all that begin so stand there together
            length = len(word)
            while at < len(in_order) and in_order[at].startswith(word):
                if in_order[at][length : length + 1].isalpha():
                    return True
                at += 1
    return False


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
    edge = RightEdge(lines)
    if own[0].kind == Kind.HEADING and edge.cuts:
        number = next(line.number for line in regions if line.width == edge.column)
        raise PeerError(
            f"info mtree text, line {number}: names end in column {edge.column}, where many lines"
            " do: the listing seems cut there: print it into a file, or paste it from a wider"
            " window"
        )
    return edge.doubts()
