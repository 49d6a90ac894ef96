"""Text as people paste it, made into the text that QEMU printed.

Each step takes off one kind of decoration. What is left and is neither a line of QEMU's nor plainly
somebody's words is refused: it may be a part of the listing that is not understood.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from guestmap.base import PeerError
from guestmap.inspect.mtree.lines import fail
from guestmap.inspect.pasted.blocks import Block, Builder, written
from guestmap.inspect.pasted.characters import plain
from guestmap.inspect.pasted.columns import check_columns
from guestmap.inspect.pasted.forms import (
    ADDRESSES,
    CORE,
    HEADING,
    HEADING_INSIDE,
    PROMPT,
    SENTENCE,
    TAIL,
    Kind,
    is_garbled,
)
from guestmap.inspect.pasted.literals import lines_of
from guestmap.inspect.pasted.prefixes import Line, unquoted, without_prefix, without_suffix
from guestmap.inspect.pasted.told import Told
from guestmap.inspect.pasted.wrapped import Joined, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMENT = re.compile(r"\s+(?:<[-=]+|←|\s(?://|#|/\*)).*$")


class Tidied(NamedTuple):
    """A listing in QEMU's own form.

    Attributes:
        text: QEMU's text.
        numbers: by line of it, the number in what was pasted.
        notes: what was taken off, and what is missing, for people.
    """

    text: str
    numbers: tuple[int, ...]
    notes: tuple[str, ...]


def tidy(text: str) -> Tidied:
    """Return the listing inside a pasted text; see :mod:`guestmap.inspect.pasted`.

    Raises:
        PeerError: a place cannot be understood in one way only; says the line.
    """
    told = Told()
    clean = plain(text)
    told.characters = clean != text.replace("\r\n", "\n")
    numbered, told.literals = lines_of(clean)
    if told.literals:
        numbered = [(number, plain(line)) for number, line in numbered]
    lines = unquoted(numbered)
    told.quoted = sum(bool(line.quotes) for line in lines)
    lines, told.prefixed = without_prefix(lines)
    lines, told.framed = without_suffix(lines)
    lines = [_bare(line, told) for line in lines]
    lines = _single_spaced(lines)
    whole = joined(lines, by_width=not (told.prefixed or told.framed))
    told.joined = sum(each.parts - 1 for each in whole)
    check_columns(whole)
    if not text.endswith("\n"):
        told.ends_openly = _ends_openly(text, whole[-1])
        whole = _without_half_name(whole, told)
    builder = Builder()
    _build(whole, builder, told)
    _check_once(builder.blocks)
    found = written(builder.blocks)
    return Tidied(
        "\n".join(line for _, line in found) + "\n", tuple(n for n, _ in found), told.notes()
    )


def _single_spaced(lines: list[Line]) -> list[Line]:
    """Return the lines without the blank ones that somebody put between each two."""
    if any(one.text and other.text for one, other in pairwise(lines)):
        return lines
    return [line for index, line in enumerate(lines) if line.text or not lines[index - 1].text]


def _bare(line: Line, told: Told) -> Line:
    """Return a line without a prompt before QEMU's words, and without a remark behind them."""
    prompt = PROMPT.match(line.text)
    if prompt is not None:
        rest = line.text[prompt.end() :].lstrip()
        if HEADING.fullmatch(rest) or CORE.match(rest):
            return line._replace(text=rest)
    if CORE.match(line.text):
        bare = _COMMENT.sub("", line.text)
        told.remarks += bare != line.text
        return line._replace(text=bare)
    return line


def _build(whole: Sequence[Joined], builder: Builder, told: Told) -> None:
    """Hand the listing's lines to the builder.

    Raises:
        PeerError: one cannot be understood.
    """
    skipping = dispatch = False
    names = _words_of_names(whole)
    is_wrapped = any(each.parts > 1 for each in whole)
    touches = False  # whether the line before was QEMU's
    for index, (line, kind, _) in enumerate(whole):
        skipping = skipping and kind not in (Kind.PROMPT, Kind.HEADING)
        dispatch = (dispatch or kind == Kind.DISPATCH) and kind not in _AFTER_DISPATCH
        is_own = False
        if skipping or kind == Kind.OTHER_OUTPUT:
            skipping = True
            told.others += bool(line.text)
        elif dispatch:
            told.dispatch = True
        elif kind in (Kind.REGION, Kind.HEADING) and is_garbled(line.text):
            fail(line.number, "one line of the listing", line.text)
        elif kind == Kind.REGION:
            builder.region(line)
            is_own = True
        elif kind == Kind.HEADING:
            builder.head(line)
            is_own = True
        elif kind == Kind.CUT:
            told.cuts += 1
            builder.cut()
            is_own = touches
        elif kind == Kind.PART and _is_last(whole, index):
            told.ends_early = True
        elif kind == Kind.NAME:
            builder.name(line)
            is_own = True
        elif kind == Kind.PART or ADDRESSES.search(line.text) or TAIL.fullmatch(line.text) or (
            touches and kind == Kind.OTHER and not _is_prose(line, whole[index - 1].line)
        ) or (kind == Kind.OTHER and names.issuperset(line.text.split())) or (
            kind == Kind.OTHER and is_wrapped and _is_inside(whole, index)
        ):  # fmt: skip
            fail(
                line.number, "a line of 'info mtree', or a blank line before other text", line.text
            )
        elif _hides_heading(line, whole[index + 1 : index + 2]):
            fail(line.number, "a heading alone on its line", line.text)
        else:
            told.others += bool(line.text)
            builder.end(blank=kind == Kind.BLANK)
        touches = is_own


def _without_half_name(whole: list[Joined], told: Told) -> list[Joined]:
    """Leave out the last region of a text without an end where its name is the start of another."""
    last = whole[-1]
    core = CORE.match(last.line.text)
    name = last.line.text[core.end() :] if core else ""
    words = {word for each in whole[:-1] for word in re.split(r"[ \"]", each.line.text)}
    if not name or name in words or not any(word.startswith(name) for word in words):
        return whole
    told.ends_early = True
    return whole[:-1]


def _ends_openly(text: str, last: Joined) -> bool:
    """Tell whether the last region's text is the end of everything, so that more may be missing."""
    return last.kind == Kind.REGION and text.rstrip(" ").endswith(last.line.text.split(" ")[-1])


_AFTER_DISPATCH = (
    Kind.HEADING,
    Kind.PROMPT,
    Kind.REGION,
    Kind.BLANK,
    Kind.FENCE,
    Kind.OTHER_OUTPUT,
)


def _is_inside(whole: Sequence[Joined], index: int) -> bool:
    """Tell whether a word or two stand between regions: they may be the rest of a name."""
    before = next((e.kind for e in whole[index - 1 :: -1] if e.kind != Kind.BLANK), Kind.OTHER)
    after = next((e.kind for e in whole[index + 1 :] if e.kind != Kind.BLANK), Kind.OTHER)
    is_short = len(whole[index].line.text.split()) <= 2
    return is_short and before == after == Kind.REGION


def _words_of_names(whole: Sequence[Joined]) -> set[str]:
    """Return the words of which the names of regions consist."""
    cores = ((each.line.text, CORE.match(each.line.text)) for each in whole)
    return {word for text, core in cores if core for word in text[core.end() :].split()}


def _hides_heading(line: Line, following: Sequence[Joined]) -> bool:
    """Tell whether a heading is in a line above a region, among what is not understood."""
    is_above = bool(following) and following[0].kind in (Kind.REGION, Kind.HEADING)
    return is_above and HEADING_INSIDE.search(line.text) is not None


def _is_last(whole: Sequence[Joined], index: int) -> bool:
    """Tell whether nothing of the listing follows."""
    return not any(
        each.kind in (Kind.REGION, Kind.HEADING, Kind.PART) for each in whole[index + 1 :]
    )


def _is_prose(line: Line, before: Line) -> bool:
    """Tell whether a line right below the listing is somebody's words, at another quoting depth."""
    return line.quotes != before.quotes and SENTENCE.fullmatch(line.text) is not None


def _check_once(blocks: Sequence[Block]) -> None:
    """Refuse a session in which one listing was made twice: either may be meant."""
    seen: dict[str, int] = {}
    targets = False
    for block in blocks:
        head = block.heads[0] if block.heads else None
        if head is None:
            continue
        again = seen.get(head.text) if head.text.startswith("FlatView") else None
        again = again or (seen["tree"] if targets and head.text.startswith("address-") else None)
        if again is not None:
            raise PeerError(
                f"info mtree text, line {head.number}: a second listing begins here, the first one"
                f" at line {again}: keep one of them"
            )
        targets = targets or head.text.startswith("memory-region: ")
        seen.setdefault(head.text, head.number)
        seen.setdefault("tree" if block.kind == "tree" else "view", head.number)
