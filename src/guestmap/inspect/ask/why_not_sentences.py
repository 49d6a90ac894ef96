"""Where a region is visible and where it is not, in plain sentences, one a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import format_size
from guestmap.inspect.ask.words import names_words, span, why_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.inspect.ask.visibility import Hidden
    from guestmap.inspect.ask.why_not import RegionSight, WhyNot


def why_not_sentences(told: WhyNot) -> list[str]:
    """Say where each region of a name is visible, and where not because of whom."""
    lines: list[str] = []
    for region in told.regions:
        state = "" if region.enabled else ", disabled"
        lines.append(f"{region.region.name} ({format_size(region.size)}{state}):")
        lines += _sight_sentences(region)
    return lines


def _sight_sentences(region: RegionSight) -> list[str]:
    lines: list[str] = []
    for sight in region.sights:
        lines.append(f"  in {names_words(sight.spaces)}:")
        for seen in sight.visible:
            lines.append(f"    visible {span(seen.start, seen.end)}, from byte {seen.offset:#x}")
        for start, end, words in _hidden(sight.hidden):
            lines.append(f"    hidden  {span(start, end)}: {words}")
    by_cause: dict[str, list[str]] = {}
    for name, cause in zip(region.blind, region.blind_because, strict=True):
        by_cause.setdefault(cause, []).append(name)
    for cause, names in by_cause.items():
        lines.append(f"  {names_words(tuple(names))}: nobody answers anywhere: {cause}")
    if not region.sights and not region.blind:
        lines.append("  no address space leads to it")
    return lines


def _hidden(parts: Iterable[Hidden]) -> list[tuple[int, int, str]]:
    """Return why ranges are hidden in words; neighbours with the same words as one."""
    found: list[tuple[int, int, str]] = []
    open_at: dict[tuple[int, str], int] = {}  # by end and words, the index in what was found
    for each in parts:
        words = why_words(each) + (f"; {each.winner.name} answers" if each.winner else "")
        index = open_at.pop((each.start, words), len(found))
        start = each.start if index == len(found) else found[index][0]
        found[index : index + 1] = [(start, each.end, words)]
        open_at[each.end, words] = index
    return found
