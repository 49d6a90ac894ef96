"""Text as people paste it, made into the text that QEMU printed.

Each step takes off one kind of decoration. What is left and is neither a line of QEMU's nor plainly
somebody's words is refused: it may be a part of the listing that is not understood.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from guestmap.base import PeerError
from guestmap.inspect.text.mtree.lines import fail
from guestmap.inspect.text.pasted.blocks import ListingBuilder
from guestmap.inspect.text.pasted.characters import plain, uncontrolled, widened
from guestmap.inspect.text.pasted.columns import check_columns
from guestmap.inspect.text.pasted.cut_marks import with_cuts_marked
from guestmap.inspect.text.pasted.ends import has_open_end, without_half_name
from guestmap.inspect.text.pasted.forms import (
    CONTENT,
    CORE,
    HEADING,
    OWN,
    PROMPT,
    SENTENCE,
    Kind,
    kind_of,
)
from guestmap.inspect.text.pasted.listing import build
from guestmap.inspect.text.pasted.literals import lines_of
from guestmap.inspect.text.pasted.prefixes import (
    Line,
    unnumbered,
    unquoted,
    without_prefix,
    without_suffix,
)
from guestmap.inspect.text.pasted.told import Told
from guestmap.inspect.text.pasted.wrapped import joined
from guestmap.inspect.text.pasted.written import written

_COMMENT = re.compile(r"\s+(?:<[-=]+|←|\s(?://|#|/\*)).*$")


_REST = re.compile(r"\w\S*(?: \S+)?(?<![.?!,:])")
"""So many words may be the end of a line that was broken, if they end as a name may."""

_TABBED = re.compile(r"^[ >|]*\t\s*[0-9a-f]{16}-", re.MULTILINE)
_LEVEL = 2  # columns


class Tidied(NamedTuple):
    """A listing in QEMU's own form.

    Attributes:
        text: QEMU's text.
        numbers: by line of it, the number in what was pasted.
        notes: what was taken off, and what is missing, for people.
        tagged: whether its headings said what they head.
    """

    text: str
    numbers: tuple[int, ...]
    notes: tuple[str, ...]
    tagged: bool


def tidy(text: str) -> Tidied:
    """Return the listing inside a pasted text; see :mod:`guestmap.inspect.text.pasted`.

    Raises:
        PeerError: a place cannot be understood in one way only; says the line.
    """
    told = Told()
    clean = plain(text)
    told.characters = clean != text.replace("\r\n", "\n")
    inner = lines_of(widened(clean))
    told.literals = inner.in_literals
    numbered = inner.lines
    if inner.in_literals or inner.is_decoded:
        numbered = [(number, plain(line)) for number, line in numbered]
    numbered, is_counted = unnumbered(numbered)
    lines = unquoted(numbered)
    told.quoted = sum(bool(line.quotes) for line in lines)
    lines, is_prefixed = without_prefix(lines)
    told.prefixed = is_counted or is_prefixed
    lines, told.framed = without_suffix(lines)
    lines = with_cuts_marked([_bare(line, told) for line in lines])
    _check_gaps(lines)
    lines = _single_spaced(lines)
    whole = joined(lines, by_width=not (told.prefixed or told.framed))
    told.joined = sum(each.parts - 1 for each in whole)
    doubts = check_columns(whole)
    open_literal = inner.is_open and whole[-1].kind == Kind.REGION
    if open_literal or (not told.literals and has_open_end(text, whole)):
        told.ends_openly = True
        count = len(whole)
        whole = without_half_name(whole)
        told.ends_early = len(whole) < count
    builder = ListingBuilder()
    build(whole, builder, told)
    _check_once(builder)
    if _TABBED.search(clean):
        _check_levels(builder, "blanks in place of tabs: their width is not known")
    elif told.joined:
        _check_levels(builder, "a line that nobody broke: blanks before it may be gone")
    found = written(builder.blocks)
    return Tidied(
        "\n".join(line for _, line in found) + "\n",
        tuple(number for number, _ in found),
        told.notes() + doubts,
        builder.tagged,
    )


def _single_spaced(lines: list[Line]) -> list[Line]:
    """Return the lines without the blank ones that somebody put between each two of the listing.

    Raises:
        PeerError: behind the last of them stands what may be the rest of it.
    """
    own = [index for index, line in enumerate(lines) if kind_of(line.text) in OWN]
    if len(own) < 2 or any(a.text and b.text for a, b in pairwise(lines[own[0] : own[-1] + 1])):
        return lines
    spoken = {i for i, e in enumerate(lines) if SENTENCE.fullmatch(e.text)}.difference(own)
    kept = spoken | {i - 1 for i in spoken} | {i + 1 for i in spoken}  # what is said stands alone
    between = {*range(own[0] + 1, own[-1])} - kept
    behind = lines[own[-1] + 1 : own[-1] + 3]
    if len(behind) == 2 and not behind[0].text and _may_be_rest(behind[1].text):
        fail(behind[1].number, "a listing without blank lines between its lines", behind[1].text)
    return [e for i, e in enumerate(lines) if i not in between or e.text or not lines[i - 1].text]


def _check_gaps(lines: list[Line]) -> None:
    """Refuse a blank line that is quoted less than both its neighbours, if it may part a name.

    Raises:
        PeerError: it may; says the line behind it.
    """
    for before, blank, line in zip(lines, lines[1:], lines[2:], strict=False):
        is_gap = not blank.text and blank.quotes < before.quotes == line.quotes
        if is_gap and CORE.match(before.text) and _may_be_rest(line.text):
            fail(line.number, "a quoted listing without gaps", line.text)


def _may_be_rest(text: str) -> bool:
    """Tell whether a line may be the end of one that was broken: a word or two, or an owner."""
    return kind_of(text) == Kind.OTHER and bool(_REST.fullmatch(text) or CONTENT.search(text))


def _bare(line: Line, told: Told) -> Line:
    """Return a line without a prompt before QEMU's words, and without a remark behind them."""
    prompt = PROMPT.match(line.text)
    if prompt is not None:
        rest = line.text[prompt.end() :].lstrip()
        if HEADING.fullmatch(rest) or CORE.match(rest):
            return line._replace(text=rest)
    if CORE.match(line.text):
        text = line.text.removesuffix("(qemu)").rstrip()  # its line had no end
        # What stood around it is gone, and hides nothing any more.
        seen = uncontrolled(text).rstrip()
        told.characters |= seen != text
        bare = _COMMENT.sub("", seen)
        if CONTENT.search(seen[len(bare) :]):
            return line
        told.remarks += bare != seen
        return line._replace(text=bare)
    return line


def _check_levels(builder: ListingBuilder, remedy: str) -> None:
    """Refuse a tree in which a level is left out: the blanks before a line may be others."""
    for block in builder.blocks:
        if block.kind != "view":
            for one, other in pairwise(block.regions):
                if other.indent - one.indent > _LEVEL:
                    fail(other.number, remedy, other.text)


def _check_once(builder: ListingBuilder) -> None:
    """Refuse a session in which one listing was made twice: either may be meant."""
    seen: dict[str, int] = {}
    targets = False
    for block in builder.blocks:
        head = block.heads[0] if block.heads else None
        if head is None:
            continue
        is_space = head.text.startswith("address-space: ")
        is_once = head.text.startswith("FlatView") or (is_space and builder.heads_no_targets)
        again = seen.get(head.text) if is_once else None
        if targets and is_space and not builder.heads_no_targets:
            again = again or seen["tree"]
        if again is not None:
            raise PeerError(
                f"info mtree text, line {head.number}: a second listing begins here, the first one"
                f" at line {again}: keep one of them"
            )
        targets = targets or head.text.startswith("memory-region: ")
        seen.setdefault(head.text, head.number)
        seen.setdefault("tree" if block.kind == "tree" else "view", head.number)
