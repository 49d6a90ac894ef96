"""The analyses' results in plain sentences, one a line, for terminals and tickets.

Those of ``diff`` and ``why-not`` have modules of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.inspect.ask.slot_words import slot_words
from guestmap.inspect.ask.words import owner_words, path_words, ram_words, row_span, span, why_words

if TYPE_CHECKING:
    from guestmap.inspect.ask.explain_range import RangeExplanation
    from guestmap.inspect.ask.explanation import Explanation
    from guestmap.inspect.ask.findings import Finding
    from guestmap.inspect.ask.hole import Hole
    from guestmap.inspect.ask.ram_ranges import RamTable

_MEANINGS: dict[str, str] = {
    "ram": "memory",
    "rom": "memory that the guest cannot write",
    "romd": "memory to read; writes go to the device",
    "ramd": "a device's memory",
    "i/o": "a device",
}
_IOMMU = "an IOMMU whose translation the map does not tell"


def explain_sentences(told: Explanation, end: int | None = None) -> list[str]:
    """Say who answers at an address, how it is reached, and who does not answer and why.

    Args:
        told: what was found at the address.
        end: where the answer ends in the range that was asked about; None: the address alone was.
    """
    lines: list[str] = []
    winner = told.winner
    where = f"{told.address:#x}" if end is None else span(told.address, end)
    first = "this address" if end is None else f"{told.address:#x}"
    if told.unknown:
        lines.append(f"{where} in {told.space}: unknown: {told.unknown}")
    elif winner is None:
        lines.append(f"{where} in {told.space}: nobody answers")
        lines += _hole_sentences(told.hole)
    else:
        meaning = _IOMMU if winner.iommu else _MEANINGS.get(winner.type, winner.type)
        starts = "" if end is None else "from "
        run = span(winner.start, winner.end)
        lines += [
            f"{where} in {told.space}: {winner.name} answers, {meaning}",
            f"  {starts}byte {winner.offset:#x} of it; the same from {run}",
        ]
        if winner.path:
            lines.append(f"  reached by {path_words(winner.path)}")
        refuses = next((step.name for step in winner.path if step.readonly), None)
        if refuses is not None:
            lines.append(f"  writes are refused by {refuses}")
        if winner.ram is not None:
            lines.append(f"  {ram_words(winner.ram)}")
        if told.slot is not None:
            lines.append(f"  by {slot_words(told.slot)}")
        if winner.owner and winner.owner.startswith("owner:"):
            lines.append(f"  belongs to {owner_words(winner.owner)}")
    if told.losers:
        lines.append(f"Others that lay claim to {first}:")
    for loser in told.losers:
        lines.append(f"  {loser.name}, byte {loser.offset:#x}: {why_words(loser)}")
        lines.append(f"    so from {span(loser.start, loser.end)}, by {path_words(loser.path)}")
    return lines + [f"Note: {note}" for note in told.notes]


def explain_range_sentences(told: RangeExplanation) -> list[str]:
    """Say of each answer in a range what :func:`explain_sentences` does of one."""
    lines: list[str] = []
    for each in told.answers:
        lines += [*explain_sentences(each.explanation, each.end), ""]
    return [*lines, f"and {told.more} more"] if told.more else lines[:-1]


def finding_place(finding: Finding) -> str:
    """Return where a finding is: addresses of a space, or the region that holds it."""
    if finding.space:
        return f"{finding.space} {span(finding.start, finding.end)}"
    return finding.regions[-1].name if finding.regions else "the tree"


def lint_sentences(findings: tuple[Finding, ...]) -> list[str]:
    """Say what is wrong or suspicious, and what to do about it."""
    lines: list[str] = []
    for each in findings:
        lines.append(f"{each.severity}: {each.code}: {finding_place(each)}: {each.message}")
        lines.append(f"  remedy: {each.remedy}")
    return lines or ["No findings."]


def ram_sentences(told: RamTable) -> list[str]:
    """Say where guest memory lies in the RAM blocks."""
    lines = [
        f"{row_span(each.start, each.end)}  {each.type:4}  {ram_words(each.place)}"
        + "".join(f", {word}" for word in dict.fromkeys(each.accelerator))
        for each in told.ranges
    ]
    lines += [
        f"{row_span(each.start, each.end)}  {each.iommu} translates: where an access here goes, its"
        " tables say, and not the map"
        for each in told.translated
    ]
    return lines or [f"{told.space} shows no memory."]


def _hole_sentences(hole: Hole | None) -> list[str]:
    if hole is None:
        return []
    sides = [
        f"{side} {each.name} ({span(each.start, each.end)})" if each else f"{side} nobody"
        for side, each in (("below", hole.below), ("above", hole.above))
    ]
    near = ", ".join(sides) if hole.below or hole.above else "nobody answers anywhere here"
    lines = [f"  nobody in {span(hole.start, hole.end)}: {near}"]
    if hole.around:
        names = " > ".join(
            f"{each.name} ({span(max(each.base, 0), each.base + each.size)})"
            for each in hole.around
        )
        has = "has" if len(hole.around) == 1 else "have"
        lines.append(f"  inside of {names}, which {has} nothing here")
    lines.append("  a read gets zeros, a write goes nowhere; x86 CPUs see no error, others may")
    return lines
