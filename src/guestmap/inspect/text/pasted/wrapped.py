"""Lines that a mail program or a terminal broke, made whole.

What follows a break never looks like a line of its own. Whether a blank was there is the business
of :mod:`guestmap.inspect.text.pasted.breaks`.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from guestmap.base import PeerError
from guestmap.inspect.text.pasted.breaks import Break, Mode, blank_by_mode, mode_of, needs_blank
from guestmap.inspect.text.pasted.characters import uncontrolled
from guestmap.inspect.text.pasted.forms import (
    ADDRESSES,
    ALIAS,
    CORE,
    OWN,
    SENTENCE,
    TAIL,
    Kind,
    heads_old_tree,
    kind_of,
)

if TYPE_CHECKING:
    from guestmap.inspect.text.pasted.prefixes import Line


_NODE = re.compile(r"\[\d+\]")
"""Heads a node of a dispatch tree, or ends a name: ``mmaps[0]``."""


class Joined(NamedTuple):
    """A line with what followed it, and how many lines that were."""

    line: Line
    kind: Kind
    parts: int


def joined(lines: list[Line], *, by_width: bool = True) -> list[Joined]:
    """Return the lines, each with its continuations.

    Args:
        lines: without what was before them.
        by_width: whether their widths may tell how they were broken.

    Raises:
        PeerError: two parts could be put together in two ways; says the line.
    """
    joiner = _Joiner(lines)
    widest = max((line.width for line in joiner.own()), default=0)
    indent = min((line.indent for line in joiner.own()), default=0)
    joiner.mode = Mode(words=True, column=True, widest=widest, full=widest, indent=indent)
    begun = joiner.mode
    for _ in range(2 * by_width):  # what was learned shows more breaks
        joiner.breaks = []
        joiner.run()
        joiner.mode = mode_of(joiner.breaks, begun)
    return joiner.run(strictly=True)


class _Joiner:
    """Goes through the lines once to learn how they were broken, and once to join them."""

    mode: Mode

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines
        self.kinds = _kinds(lines)
        self.known = _known_words(lines, self.kinds)
        self.breaks: list[Break] = []

    def own(self) -> list[Line]:
        """Return the lines that QEMU's begin with."""
        return [line for line, kind in zip(self.lines, self.kinds, strict=True) if kind in OWN]

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
        place = Break(text, before, line, needs_blank(text, line.text))
        blank = place.blank
        if not strictly:
            self.breaks.append(place)
            return f"{text}{' ' * (blank is not False)}{line.text}"
        if blank is None:
            blank = blank_by_mode(place, self.mode, self.known)
        if blank is None:
            raise PeerError(
                f"info mtree text, line {line.number}: cannot tell whether {text[-30:]!r} goes on"
                f" with {line.text[:30]!r} as one word or two: paste the text without line breaks"
            )
        return uncontrolled(f"{text} {line.text}" if blank else text + line.text)


def _kinds(lines: list[Line]) -> list[Kind]:
    kinds = [kind_of(line.text) for line in lines]
    for index, (line, following) in enumerate(pairwise(lines)):
        deeper = following.indent > line.indent
        if kinds[index] == Kind.OTHER and heads_old_tree(line.text, following.text, deeper=deeper):
            kinds[index] = Kind.NAME
        if kinds[index] != Kind.DISPATCH and _NODE.fullmatch(following.text):
            kinds[index + 1] = Kind.OTHER  # it may be the end of a name
    return kinds


def _kind_of_whole(text: str) -> Kind:
    kind = kind_of(text)
    return kind if kind in OWN else Kind.OTHER


def _goes_on(last: Joined, line: Line, kind: Kind, before: Line, mode: Mode) -> bool:
    """Tell whether a line is the rest of the one before it."""
    is_own = kind not in (Kind.OTHER, Kind.PROMPT, Kind.CUT, Kind.PART)
    if last.kind not in OWN or is_own:
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
    """Return the words of names that stand whole: not at an end where they may be cut."""
    words: set[str] = set()
    for line, kind, following in zip(lines, kinds, (*kinds, Kind.OTHER)[1:], strict=True):
        if kind in (Kind.REGION, Kind.HEADING, Kind.DISPATCH):
            is_whole = following in (Kind.REGION, Kind.HEADING, Kind.DISPATCH)
            words.update(re.split(r"[ ,]", line.text)[: None if is_whole else -1])
            words.update(re.findall(r'AS "(.*?)"', line.text))
    return words
