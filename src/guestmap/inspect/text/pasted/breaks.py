"""How a text was broken into lines: what its breaks tell together, and whether one took a blank.

A mail program breaks between words, before the word that would not fit; a terminal in its last
column, wherever that is. The form of a line of QEMU's tells of most breaks which it was, and those
tell of the others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from guestmap.inspect.text.pasted.forms import ALIAS, CORE, HEX, OWN, TAIL, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.inspect.text.pasted.prefixes import Line

_DIGITS = 16
_END_DIGITS, _START_DIGITS = re.compile(r"[0-9a-f]{0,16}$"), re.compile(r"[0-9a-f]{0,16}")
_WINDOW = re.compile(rf"{HEX}-{HEX}(?: |$)")
_HALVES = re.compile(r"[._/(@\[] | [._/)\]-]")
"""No word of a name ends or begins so: here was no blank."""

_TARGET = re.compile(rf"@(?!.* @).* {HEX}-")
_HYPHEN = re.compile(r"\w-$")
_IN_LETTERS = re.compile(r"[a-z] [a-z]")
"""Words that may as well be two halves of one."""


class Break(NamedTuple):
    """One place where a line was broken.

    Attributes:
        text: the line up to there.
        before: what stands before the break, as a line of the text.
        line: what stands behind it.
        blank: whether a blank was there, as far as the form of both parts tells.
    """

    text: str
    before: Line
    line: Line
    blank: bool | None

    @property
    def words(self) -> tuple[str, str]:
        """The word before the break and the one behind it, or two parts of one."""
        return self.text.rsplit(" ", 1)[-1], self.line.text.split(" ", 1)[0]

    @property
    def needed(self) -> int:
        """The columns that the line before would have with the next word, too."""
        return self.before.width + 1 + len(self.words[1])

    def is_flush(self, indent: int) -> bool:
        """Tell whether no blank is seen behind the break, where ``indent`` were put before all."""
        is_alike = self.line.quotes == self.before.quotes
        return self.line.indent == 0 or (is_alike and self.line.indent == indent)


class Mode(NamedTuple):
    """How a text may have been broken.

    Attributes:
        words: between words, where the next one did not fit.
        column: in one column, wherever that is.
        filled: a break in the last column is known to have parted no words: a blank there, which
            mail takes away, would have made that line narrower.
        widest: columns of the widest line that a mail program can have filled.
        full: columns of the widest line.
        indent: blanks before the line that has least of them.
        unquoted: what follows a break in quoted text may be without a quoting mark.
        rest: blanks before what follows a break, where that has least of them.
        hanging: blanks before what follows a break between words, where that has least of them.
        added: as many blanks were put before what follows a break where words were not parted.
        doubts: words around breaks in the last column that do not tell whether a blank was there.
        doubts_before: how many breaks before it do not.
    """

    words: bool
    column: bool
    widest: int
    full: int
    indent: int
    filled: bool = False
    unquoted: bool = False
    rest: int = 0
    hanging: int = 0
    added: frozenset[int] = frozenset()
    doubts: frozenset[tuple[str, str]] = frozenset()
    doubts_before: int = 0


def mode_of(breaks: Iterable[Break], begun: Mode) -> Mode:
    """Return how a text may have been broken, which has these breaks.

    Args:
        breaks: all of them.
        begun: what is known of it from the lines that are QEMU's as they stand.
    """
    every = list(breaks)
    parts = [each.line for each in every if each.line.quotes == each.before.quotes]
    widest = max((begun.widest, *(each.width for each in parts if " " in each.text)))
    full = max((begun.full, *(each.width for each in parts)))
    unsure = [each for each in every if each.blank is None]
    inside = [e for e in every if e.blank is False and not _HYPHEN.search(e.text)]
    filled = [each for each in every if each.before.width == full]
    return Mode(
        words=not inside and all(widest <= each.needed for each in every),
        column=all(each.before.width >= full - 1 for each in every)
        and not any(each.blank and each.is_flush(begun.indent) for each in filled),
        widest=widest,
        full=full,
        indent=begun.indent,
        filled=any(each.blank is False for each in filled),
        unquoted=any(each.line.quotes < each.before.quotes for each in every),
        rest=min((each.line.indent for each in every), default=0),
        hanging=min((each.line.indent for each in every if each.blank), default=0),
        added=frozenset(each.line.indent for each in every if each.blank is False),
        doubts=frozenset(each.words for each in unsure if each.before.width == full),
        doubts_before=sum(each.before.width < full for each in unsure),
    )


def needs_blank(text: str, rest: str) -> bool | None:
    """Tell whether a blank was between two parts; None: their form does not tell."""
    if _is_number_broken(text, rest) or _is_tail_broken(text, rest):
        return False
    if (
        rest.startswith("(prio")
        or text.endswith("):")
        or (_TARGET.match(rest) and " @" not in text)
    ):
        return True
    ways = [way for way in (False, True) if _may_be(text + " " * way + rest)]
    if len(ways) == 1:
        return ways[0]
    if text.count("{") > text.count("}"):
        return text.endswith(("{dev", "{obj"))
    if TAIL.fullmatch(rest) or text.endswith("): alias"):
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
    if kind_of(text) not in OWN:
        return False
    core = CORE.match(text)
    name = text[core.end() :] if core else ""
    if ALIAS.match(name):
        return True
    return _WINDOW.search(name) is None


def blank_by_mode(place: Break, mode: Mode, known: set[str]) -> bool | None:
    """Tell whether a blank was at a break of which the form does not tell; None: unknown.

    Args:
        place: where.
        mode: how the text was broken.
        known: words of names that stand whole in it.
    """
    (last, first), before, line = place.words, place.before, place.line
    apart = {last, first} <= known
    together = any(word.startswith(last + first) for word in known)
    is_in_column = before.width == mode.full and not mode.doubts_before
    is_inside = is_in_column and len(mode.doubts) > 1
    if mode.words and not mode.column and (apart or not is_inside):
        both = f"{last} {first}"
        is_one = together > apart or _HALVES.search(both)
        is_odd = is_in_column or line.indent < mode.hanging  # somebody else broke this line, too
        may_be_one = is_odd and not apart and _IN_LETTERS.search(both)
        return None if is_one or may_be_one else not _HYPHEN.search(place.text)
    is_flush = place.is_flush(mode.indent) or line.indent in mode.added
    if mode.column and not mode.words and not is_flush:
        is_added = line.quotes < before.quotes and line.indent <= mode.rest
        return None if is_added else True  # a terminal adds no blanks of its own
    if mode.column and not mode.words and mode.filled and before.width == mode.full:
        return False  # else a blank may have been in the last column
    return apart if apart != together else None
