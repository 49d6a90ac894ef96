"""The lines of a listing handed over to its blocks, and all others passed by, or refused.

What stands between QEMU's lines and is neither one of them nor plainly somebody's words may be a
part of the listing that is not understood: that is an error.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from guestmap.inspect.text.mtree.lines import fail
from guestmap.inspect.text.pasted.blocks import ListingBuilder
from guestmap.inspect.text.pasted.forms import (
    ADDRESSES,
    CONTENT,
    CORE,
    HEADING_INSIDE,
    OWN,
    SENTENCE,
    TAIL,
    Kind,
    is_garbled,
    kind_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from guestmap.inspect.text.pasted.prefixes import Line
    from guestmap.inspect.text.pasted.told import Told
    from guestmap.inspect.text.pasted.wrapped import Joined

_AFTER_DISPATCH = (
    Kind.HEADING,
    Kind.PROMPT,
    Kind.REGION,
    Kind.BLANK,
    Kind.FENCE,
    Kind.OTHER_OUTPUT,
)


def build(whole: Sequence[Joined], builder: ListingBuilder, told: Told) -> None:
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
            if kind == Kind.CUT:  # it may have taken the next heading with it
                told.cuts += 1
                builder.cut()
        elif kind in _OF_LISTING:
            if is_garbled(line.text):
                fail(line.number, "one line of the listing", line.text)
            _OF_LISTING[kind](builder, line)
            is_own = True
        elif kind == Kind.CUT:
            told.cuts += 1
            builder.cut()
            is_own = touches
        elif kind == Kind.PART and _is_last(whole, index):
            told.ends_early = True
        elif _may_be_content(whole, index, names, touches=touches, is_wrapped=is_wrapped):
            fail(
                line.number, "a line of 'info mtree', or a blank line before other text", line.text
            )
        elif HEADING_INSIDE.search(line.text):
            fail(line.number, "a heading alone on its line", line.text)
        else:
            told.others += bool(line.text)
            builder.end(blank=kind == Kind.BLANK)
        touches = is_own


_OF_LISTING: Mapping[Kind, Callable[[ListingBuilder, Line], None]] = MappingProxyType(
    {
        Kind.REGION: ListingBuilder.region,
        Kind.HEADING: ListingBuilder.head,
        Kind.NAME: ListingBuilder.name,
    }
)
_MARKS = re.compile(r"^(?:[^\w ]+ +)+")


def _may_be_content(
    whole: Sequence[Joined], index: int, names: set[str], *, touches: bool, is_wrapped: bool
) -> bool:
    """Tell whether a line that is none of QEMU's may be a part of one.

    Args:
        whole: all lines.
        index: which.
        names: words of which names consist.
        touches: whether the line before is one of QEMU's.
        is_wrapped: whether some of the lines were broken.
    """
    line, kind, _ = whole[index]
    bare = _MARKS.sub("", line.text)  # "# KVM" looks like a command
    if ADDRESSES.search(line.text) or TAIL.fullmatch(bare) or kind_of(bare) in OWN:
        return True
    if CONTENT.search(line.text) and (kind == Kind.PROMPT or is_wrapped):
        return True
    if kind not in (Kind.OTHER, Kind.PROMPT):
        return False
    if (bare and names.issuperset(bare.split())) or (is_wrapped and _is_inside(whole, index)):
        return True
    return kind == Kind.OTHER and touches and not _is_prose(line, whole[index - 1].line)


def _is_inside(whole: Sequence[Joined], index: int) -> bool:
    """Tell whether what stands between regions may be the rest of a name.

    That is a word or two, or what ends as a region's line may.
    """
    before = next((e.kind for e in whole[index - 1 :: -1] if e.kind != Kind.BLANK), Kind.OTHER)
    after = next((e.kind for e in whole[index + 1 :] if e.kind != Kind.BLANK), Kind.OTHER)
    words = whole[index].line.text.split()
    is_rest = len(words) <= 2 or TAIL.fullmatch(words[-1]) is not None
    return is_rest and before == after == Kind.REGION


def _words_of_names(whole: Sequence[Joined]) -> set[str]:
    """Return the words of which the names of regions consist, those in headings, too."""
    words: set[str] = set()
    for line, kind, _ in whole:
        if kind in (Kind.REGION, Kind.HEADING):
            core = CORE.match(line.text)
            words.update(line.text[core.end() if core else 0 :].split())
    return words


def _is_last(whole: Sequence[Joined], index: int) -> bool:
    """Tell whether nothing of the listing follows."""
    return not any(
        each.kind in (Kind.REGION, Kind.HEADING, Kind.PART) for each in whole[index + 1 :]
    )


def _is_prose(line: Line, before: Line) -> bool:
    """Tell whether a line right below the listing is somebody's words, at another quoting depth."""
    return line.quotes != before.quotes and SENTENCE.fullmatch(line.text) is not None
