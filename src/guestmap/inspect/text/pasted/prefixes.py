"""What stands before each line: quoting, line numbers, the time of a log, comment marks."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from guestmap.inspect.text.mtree.lines import fail
from guestmap.inspect.text.pasted.forms import CORE, HEADING, HEX

if TYPE_CHECKING:
    from collections.abc import Sequence

_QUOTE = re.compile(r"(?: {0,3}[>|│┃])+(?= |$|[^>|])")
_SUFFIX = re.compile(r"\s*[\"',;|│┃\\]+$")  # no name ends so
_NUMBER = re.compile(r"\s*(\d+)(?:[:.)|]|(?=\s|$))\s?")
_START = re.compile(rf"(?:\[DETECTED OVERFLOW!\] )*{HEX}-")


_COUNT = re.compile(r"\s*(\d+)(?::| \| ?| |\t|$)")
_FEWEST = 3
"""Lines that a count tells from what lines happen to begin with."""


class Line(NamedTuple):
    """A line of the text.

    Attributes:
        number: in the text, from 1.
        quotes: how many quoting marks were before it.
        indent: blanks before what is left.
        text: what is left, without the blanks around it.
    """

    number: int
    quotes: int
    indent: int
    text: str

    @property
    def width(self) -> int:
        """How many columns it took, quoting left out."""
        return self.indent + len(self.text)


def unnumbered(lines: list[tuple[int, str]]) -> tuple[list[tuple[int, str]], bool]:
    """Return the lines without numbers that count every line, rests of broken ones too.

    The flag tells whether there were any.
    """
    found = False
    while _are_counted([line for _, line in lines]):
        lines = [(number, _COUNT.sub("", line, count=1)) for number, line in lines]
        found = True
    return lines, found


def _are_counted(lines: list[str]) -> bool:
    """Tell whether each line that is not blank begins with a number, and all count up together."""
    filled = [(index, line) for index, line in enumerate(lines) if line.strip()]
    if len(filled) < _FEWEST:
        return False
    firsts: set[int] = set()
    for index, line in filled:
        count = _COUNT.match(line)
        if count is None:
            return False
        firsts.add(int(count[1]) - index)
    return len(firsts) == 1


def unquoted(lines: list[tuple[int, str]]) -> list[Line]:
    """Return the lines without quoting marks, ``> `` and ``| ``, at any depth.

    A blank behind the marks is theirs, but for a text of which a heading stands right behind them:
    there it is the line's own.
    """
    ends = [(match := _QUOTE.match(line)) and match.end() for _, line in lines]
    own = any(
        end and HEADING.fullmatch(line[end:]) for end, (_, line) in zip(ends, lines, strict=True)
    )
    found: list[Line] = []
    for end, (number, line) in zip(ends, lines, strict=True):
        marks = sum(each in ">|│┃" for each in line[:end]) if end else 0
        line = line[end or 0 :]
        found.append(_line(number, marks, line if own or not end else line.removeprefix(" ")))
    return found


def without_prefix(lines: list[Line]) -> tuple[list[Line], bool]:
    """Return the lines without what stands before every region: numbers, times, comment marks.

    It must be the same before all of them but for its digits. The flag tells whether there was any.

    Raises:
        PeerError: a half of it stands before a line.
    """
    prefixes = [
        line.text[: start.start()]
        for line in lines
        if (start := _START.search(line.text)) and CORE.match(line.text, start.start())
    ]
    alike = {_likeness(each) for each in prefixes}
    if len(alike) != 1 or alike == {""}:
        return lines, False
    likeness = alike.pop()
    pattern = re.compile(r"\s*" + _pattern(likeness) + (r"(?=\s|$)" if likeness[-1] == "0" else ""))
    is_count = likeness.count("0") == 1 and _rise([_count(each) for each in prefixes])
    last = -1
    follows = False  # whether the line before is a region
    found: list[Line] = []
    for line in lines:
        match = pattern.match(line.text)
        count = _count(match[0]) if match is not None and is_count else last + 1
        if match is not None and count > last:  # a line's number, not one at the start of a line
            last = count
            line = _line(line.number, line.quotes, line.text[match.end() :])
        elif is_count and (own := _NUMBER.match(line.text)) and int(own[1]) == last + 1:
            last += 1  # the next number before a line that lacks the rest, as a broken one's end
            line = _line(line.number, line.quotes, line.text[own.end() :])
        elif pattern.fullmatch(f"{line.text} ") and not HEADING.fullmatch(line.text):
            line = _line(line.number, line.quotes, "")
        elif follows and _bears_part(line.text, prefixes[0]):
            fail(line.number, "before this line what stands before all others", line.text)
        follows = _START.match(line.text) is not None
        found.append(line)
    _check_rests(lines, found)
    return found, True


def _check_rests(lines: Sequence[Line], bare: Sequence[Line]) -> None:
    """Refuse lines of which some rests of broken ones bear a prefix: it may be their own.

    Raises:
        PeerError: they do; says the first such line.
    """
    marked: list[Line] = []
    unmarked = follows = False
    for line, left in zip(lines, bare, strict=True):
        if _START.match(left.text):
            follows = True
        elif not left.text or HEADING.fullmatch(left.text):
            follows = False
        elif follows and line.text != left.text:
            marked.append(line)
        elif follows:
            unmarked = True
    if marked and unmarked:
        line = marked[0]
        fail(line.number, "either no line or each with what stands before others", line.text)


def _bears_part(text: str, prefix: str) -> bool:
    """Tell whether a line begins with a part of a prefix: its first word, or more than half."""
    likeness, word = _likeness(prefix), _likeness(prefix.split(maxsplit=1)[0]) + " "
    begun = _likeness(f"{text} .")
    return begun.startswith((word, likeness[: max(len(likeness) // 2 + 1, 2)]))


def without_suffix(lines: list[Line]) -> tuple[list[Line], bool]:
    """Return the lines without what stands behind every region: the frame of a table, a comma.

    The flag tells whether there was any.
    """
    regions = [line for line in lines if CORE.match(line.text)]
    if not regions or not all(_SUFFIX.search(line.text) for line in regions):
        return lines, False
    return [
        _line(e.number, e.quotes, " " * e.indent + _SUFFIX.sub("", e.text)) for e in lines
    ], True


def _line(number: int, quotes: int, text: str) -> Line:
    left, unspaced = text.lstrip(" \t"), text.lstrip(" ")
    tabs = unspaced[: len(unspaced) - len(left)].expandtabs(8)  # older than what stands before them
    return Line(number, quotes, len(text) - len(unspaced) + len(tabs), left)


def _likeness(prefix: str) -> str:
    """Return a prefix with its digits and the blanks at its end made equal."""
    return re.sub(r"\s+", " ", re.sub(r"\s*\d+", "0", prefix)).rstrip(" ")


def _count(prefix: str) -> int:
    return int(re.sub(r"\D", "", prefix))


def _rise(counts: list[int]) -> bool:
    """Tell whether numbers count lines: those of a machine's name (``vm1: ``) stay the same."""
    return all(one < other for one, other in pairwise(counts))


def _pattern(likeness: str) -> str:
    return "".join(
        r"\s*\d+" if each == "0" else r"\s+" if each == " " else re.escape(each)
        for each in likeness
    )
