"""Lines that a mail program or a terminal broke, made whole.

What follows a break never looks like a line of its own. Whether a blank was there is told by what
stands on both sides; inside a name by how the whole text was broken: a mail program breaks between
words, before the word that would not fit; a terminal in its last column, wherever that is.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from guestmap.base import PeerError
from guestmap.inspect.pasted.forms import (
    ADDRESSES,
    ALIAS,
    CORE,
    HEX,
    SENTENCE,
    TAIL,
    Kind,
    heads_old_tree,
    kind_of,
)

if TYPE_CHECKING:
    from guestmap.inspect.pasted.prefixes import Line

_DIGITS = 16
_END_DIGITS, _START_DIGITS = re.compile(r"[0-9a-f]{0,16}$"), re.compile(r"[0-9a-f]{0,16}")
_WINDOW = re.compile(rf"{HEX}-{HEX}(?: |$)")


_OWN = (Kind.REGION, Kind.HEADING, Kind.PART)


class Joined(NamedTuple):
    """A line with what followed it, and how many lines that were."""

    line: Line
    kind: Kind
    parts: int


class Mode(NamedTuple):
    """How a text may have been broken.

    Attributes:
        words: between words, where the next one did not fit.
        column: in one column, wherever that is.
        filled: a break in the last column is known to have parted no words: a blank there, which
            mail takes away, would have made that line narrower.
        widest: columns of the widest line.
        indent: blanks before the line that has least of them.
        unquoted: what follows a break in quoted text may be without a quoting mark.
        doubts: words around breaks in the last column that do not tell whether a blank was there.
        doubts_before: how many breaks before it do not.
    """

    words: bool
    column: bool
    widest: int
    indent: int
    filled: bool = False
    unquoted: bool = False
    doubts: frozenset[tuple[str, str]] = frozenset()
    doubts_before: int = 0


def joined(lines: list[Line], *, by_width: bool = True) -> list[Joined]:
    """Return the lines, each with its continuations.

    Args:
        lines: without what was before them.
        by_width: whether their widths may tell how they were broken.

    Raises:
        PeerError: two parts could be put together in two ways; says the line.
    """
    joiner = _Joiner(lines)
    joiner.run()  # learns how the text was broken where its form tells
    joiner.mode = joiner.seen if by_width else joiner.mode
    return joiner.run(strictly=True)


class _Joiner:
    """Goes through the lines once to learn how they were broken, and once to join them."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines
        self.kinds = _kinds(lines)
        self.known = _known_words(lines, self.kinds)
        own = [line for line, kind in zip(lines, self.kinds, strict=True) if kind in _OWN]
        self.mode = self.seen = Mode(
            words=True, column=True, widest=max((line.width for line in own), default=0),
            indent=min((line.indent for line in own), default=0),
        )  # fmt: skip

    def run(self, *, strictly: bool = False) -> list[Joined]:
        found: list[Joined] = []
        for index, (line, kind) in enumerate(zip(self.lines, self.kinds, strict=True)):
            before = self.lines[index - 1]
            last = found[-1] if found else None
            if last is None or not _goes_on(last, line, kind, before, self.mode):
                found.append(Joined(line, kind, 1))
                continue
            text = self._put_together(last.line.text, before, line, strictly=strictly)
            found[-1] = Joined(last.line._replace(text=text), _kind_of_whole(text), last.parts + 1)
        return found

    def _put_together(self, text: str, before: Line, line: Line, *, strictly: bool) -> str:
        """Return two parts of a line as one."""
        blank = _needs_blank(text, line.text)
        if not strictly:
            self._learn(text, before, line, blank=blank)
            return f"{text}{' ' * (blank is not False)}{line.text}"
        if blank is None:
            blank = _blank_by_mode(text, before, line, self.mode, self.known)
        if blank is None:
            raise PeerError(
                f"info mtree text, line {line.number}: cannot tell whether {text[-30:]!r} goes on"
                f" with {line.text[:30]!r} as one word or two: paste the text without line breaks"
            )
        return f"{text} {line.text}" if blank else text + line.text

    def _learn(self, text: str, before: Line, line: Line, *, blank: bool | None) -> None:
        """Rule out how the text was not broken."""
        seen = self.seen
        word = len(line.text.split(" ", 1)[0])
        is_inside = blank is False and not re.search(r"\w-$", text)
        doubts = {(text.rsplit(" ", 1)[-1], line.text.split(" ", 1)[0])} if blank is None else set()
        is_between = before.width == seen.widest and line.indent in (0, seen.indent)
        self.seen = seen._replace(
            doubts_before=seen.doubts_before + (blank is None and before.width < seen.widest),
            doubts=seen.doubts | doubts if before.width == seen.widest else seen.doubts,
            filled=seen.filled or (blank is False and before.width == seen.widest),
            unquoted=seen.unquoted or line.quotes < before.quotes,
            words=seen.words and not is_inside and seen.widest <= before.width + 1 + word,
            column=seen.column
            and before.width >= seen.widest - 1
            and not (blank is True and is_between),
        )


def _kinds(lines: list[Line]) -> list[Kind]:
    kinds = [kind_of(line.text) for line in lines]
    for index, (line, following) in enumerate(pairwise(lines)):
        deeper = following.indent > line.indent
        if kinds[index] == Kind.OTHER and heads_old_tree(line.text, following.text, deeper=deeper):
            kinds[index] = Kind.NAME
    return kinds


def _kind_of_whole(text: str) -> Kind:
    kind = kind_of(text)
    return kind if kind in _OWN else Kind.OTHER


def _goes_on(last: Joined, line: Line, kind: Kind, before: Line, mode: Mode) -> bool:
    """Tell whether a line is the rest of the one before it."""
    is_own = kind not in (Kind.OTHER, Kind.PROMPT, Kind.CUT, Kind.PART)
    if last.kind not in _OWN or is_own:
        return False
    if kind == Kind.PART and last.kind != Kind.PART:
        return False
    if last.kind == Kind.PART:
        return kind != Kind.CUT
    if TAIL.fullmatch(line.text):
        return True
    if kind != Kind.OTHER:
        return False
    if ADDRESSES.search(line.text):  # only an alias has some behind its name
        return _is_alias(last.line.text + line.text) or _is_alias(f"{last.line.text} {line.text}")
    if line.quotes != last.line.quotes:  # a mail program broke what was quoted, if it did so before
        is_words = mode.unquoted and not line.quotes and not SENTENCE.fullmatch(line.text)
        if not is_words:
            return False
    return not _fits_behind(before, line, mode)


def _is_alias(text: str) -> bool:
    core = CORE.match(text)
    return core is not None and ALIAS.match(text, core.end()) is not None


def _fits_behind(before: Line, line: Line, mode: Mode) -> bool:
    """Tell whether the first word of a line had room behind the one before: nobody broke there."""
    return before.width + 1 + len(line.text.split(" ", 1)[0]) <= mode.widest


def _known_words(lines: list[Line], kinds: list[Kind]) -> set[str]:
    """Return the words of names that are not at an end of a line, where they may be cut."""
    words: set[str] = set()
    for line, kind in zip(lines, kinds, strict=True):
        if kind in (Kind.REGION, Kind.HEADING):
            words.update(re.split(r"[ ,]", line.text)[:-1])
            words.update(re.findall(r'AS "(.*?)"', line.text))
    return words


def _needs_blank(text: str, rest: str) -> bool | None:
    """Tell whether a blank was between two parts; None: their form does not tell."""
    if _is_number_broken(text, rest) or _is_tail_broken(text, rest):
        return False
    ways = [way for way in (False, True) if _may_be(text + " " * way + rest)]
    if len(ways) == 1:
        return ways[0]
    if text.count("{") > text.count("}"):
        return text.endswith(("{dev", "{obj"))
    if TAIL.fullmatch(rest) or rest.startswith("alias ") or text.endswith("): alias"):
        return True
    return None


def _is_number_broken(text: str, rest: str) -> bool:
    """Tell whether a break goes through 16 digits, or between them and ``-`` or ``@``."""
    left, right = _END_DIGITS.search(text), _START_DIGITS.match(rest)
    assert left is not None
    assert right is not None
    before, after = text[: left.start()], rest[right.end() :]
    if len(left[0]) + len(right[0]) != _DIGITS:
        return text.endswith(" @")
    if not left[0]:
        return re.search(rf"(?:{HEX}-| @)$", text) is not None
    if not right[0]:
        return after.startswith("-")
    return before.endswith(("-", " @")) or after.startswith("-")


def _is_tail_broken(text: str, rest: str) -> bool:
    """Tell whether a break goes through a word that stands behind names."""
    last = text.rsplit(" ", 1)[-1]
    word = last + rest.split(" ", 1)[0]
    return any(
        word.startswith(each) and len(last) < len(each)
        for each in ("[disabled]", "orphan", "owner:{", "parent:{")
    )


def _may_be(text: str) -> bool:
    """Tell whether a line can be QEMU's: no name holds what makes an alias."""
    if kind_of(text) not in _OWN:
        return False
    core = CORE.match(text)
    name = text[core.end() :] if core else ""
    if ALIAS.match(name):
        return True
    return _WINDOW.search(name) is None


def _blank_by_mode(text: str, before: Line, line: Line, mode: Mode, known: set[str]) -> bool | None:
    last, first = text.rsplit(" ", 1)[-1], line.text.split(" ", 1)[0]
    apart, together = {last, first} <= known, last + first in known
    is_inside = before.width == mode.widest and len(mode.doubts) > 1 and not mode.doubts_before
    if mode.words and not mode.column and (apart or not is_inside):
        return not re.search(r"\w-$", text)
    if mode.column and not mode.words and line.indent not in (0, mode.indent):
        return True  # a terminal adds no blanks of its own
    if mode.column and not mode.words and mode.filled and before.width == mode.widest:
        return False  # else a blank may have been in the last column
    return apart if apart != together else None
