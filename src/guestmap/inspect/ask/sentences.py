"""The analyses' results in plain sentences, one a line, for terminals and tickets.

Ranges are written as QEMU writes them: first and last address, hexadecimal, both included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import format_size
from guestmap.inspect.ask.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.inspect.ask.diff import Diff
    from guestmap.inspect.ask.explain_range import RangeExplanation
    from guestmap.inspect.ask.explanation import Explanation, Loser, PathStep
    from guestmap.inspect.ask.findings import Finding
    from guestmap.inspect.ask.hole import Hole
    from guestmap.inspect.ask.ram_place import RamPlace
    from guestmap.inspect.ask.ram_ranges import RamTable
    from guestmap.inspect.ask.region_diff import RegionChange
    from guestmap.inspect.ask.view_diff import Shows
    from guestmap.inspect.ask.visibility import Hidden
    from guestmap.inspect.ask.why_not import RegionSight, WhyNot
    from guestmap.inspect.map.snapshot import SlotInfo

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
    where = f"{told.address:#x}" if end is None else _span(told.address, end)
    first = "this address" if end is None else f"{told.address:#x}"
    if told.unknown:
        lines.append(f"{where} in {told.space}: unknown: {told.unknown}")
    elif winner is None:
        lines.append(f"{where} in {told.space}: nobody answers")
        lines += _hole_sentences(told.hole)
    else:
        meaning = _IOMMU if winner.iommu else _MEANINGS.get(winner.type, winner.type)
        starts = "" if end is None else "from "
        run = _span(winner.start, winner.end)
        lines += [
            f"{where} in {told.space}: {winner.name} answers, {meaning}",
            f"  {starts}byte {winner.offset:#x} of it; the same from {run}",
        ]
        if winner.path:
            lines.append(f"  reached by {_path(winner.path)}")
        refuses = next((step.name for step in winner.path if step.readonly), None)
        if refuses is not None:
            lines.append(f"  writes are refused by {refuses}")
        if winner.ram is not None:
            lines.append(f"  {_ram(winner.ram)}")
        if told.slot is not None:
            lines.append(f"  {_slot(told.slot)}")
        if winner.owner and winner.owner.startswith("owner:"):
            lines.append(f"  belongs to {winner.owner.removeprefix('owner:')}")
    if told.losers:
        lines.append(f"Others that lay claim to {first}:")
    for loser in told.losers:
        lines.append(f"  {loser.name}, byte {loser.offset:#x}: {_why(loser)}")
        lines.append(f"    so from {_span(loser.start, loser.end)}, by {_path(loser.path)}")
    return lines + [f"Note: {note}" for note in told.notes]


def _slot(slot: SlotInfo) -> str:
    """Say by which memory slot the guest reaches it."""
    words = f"by slot {slot.number} of KVM, {_span(slot.start, slot.start + slot.size)}"
    words += ", read-only: writes come out" if slot.readonly else ", writable"
    if slot.logged:
        noted = "written pages are noted"
        words += f", {noted}" if slot.dirty is None else f", {noted}: {slot.dirty} now"
    return words


def explain_range_sentences(told: RangeExplanation) -> list[str]:
    """Say of each answer in a range what :func:`explain_sentences` does of one."""
    lines: list[str] = []
    for each in told.answers:
        lines += [*explain_sentences(each.explanation, each.end), ""]
    return [*lines, f"and {told.more} more"] if told.more else lines[:-1]


def why_not_sentences(told: WhyNot) -> list[str]:
    """Say where each region of a name is visible, and where not because of whom."""
    lines: list[str] = []
    for region in told.regions:
        state = "" if region.enabled else ", disabled"
        lines.append(f"{region.region.name} ({format_size(region.size)}{state}):")
        lines += _sight_sentences(region)
    return lines


def diff_sentences(told: Diff) -> list[str]:
    """Say what probably happened, which regions changed, and who answers where since."""
    if told.is_empty:
        return ["Nothing changed."]
    lines = [f"Probably: {cause.text}" for cause in told.causes]
    lines += [f"Address space {name} was added" for name in told.added]
    lines += [f"Address space {name} was removed" for name in told.removed]
    for view in told.views:
        lines.append(f"Changed in {_names(view.spaces)}:")
        for each in view.ranges:
            now, was = _shows(each.after), _shows(each.before)
            lines.append(f"  {_span(each.start, each.end)}: {now}, was {was}")
    if told.regions:
        lines.append("Regions:")
    lines += [f"  {'/'.join(change.path)}: {_change(change)}" for change in told.regions]
    return lines


def finding_place(finding: Finding) -> str:
    """Return where a finding is: addresses of a space, or the region that holds it."""
    if finding.space:
        return f"{finding.space} {_span(finding.start, finding.end)}"
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
        f"{_span(each.start, each.end)} {each.type:4} {_ram(each.place)}"
        + "".join(f", {word}" for word in dict.fromkeys(each.accelerator))
        for each in told.ranges
    ]
    lines += [
        f"{_span(each.start, each.end)} {each.iommu} translates: where an access here goes, its"
        " tables say, and not the map"
        for each in told.translated
    ]
    return lines or [f"{told.space} shows no memory."]


def _hole_sentences(hole: Hole | None) -> list[str]:
    if hole is None:
        return []
    sides = [
        f"{side} {each.name} ({_span(each.start, each.end)})" if each else f"{side} nobody"
        for side, each in (("below", hole.below), ("above", hole.above))
    ]
    lines = [f"  nobody in {_span(hole.start, hole.end)}: {', '.join(sides)}"]
    if hole.around:
        names = " > ".join(
            f"{each.name} ({_span(max(each.base, 0), each.base + each.size)})"
            for each in hole.around
        )
        lines.append(f"  inside of {names}, which have nothing here")
    lines.append("  a read gets zeros, a write goes nowhere; x86 CPUs see no error, others may")
    return lines


def _why(loser: Loser | Hidden) -> str:
    reason: Reason | str = loser.reason
    by = loser.by.name if loser.by else ""
    holder = loser.container.name if loser.container else ""
    against = loser.against.name
    if reason == "disabled":
        is_self = by == against
        return "it is disabled" if is_self else f"{by}, on the way to it, is disabled"
    return {
        "clipped": f"{by}, on the way to it, does not reach here",
        "priority": f"{by} has a higher priority than {against} in {holder}",
        "order": f"{by} was added to {holder} later than {against}, at equal priority",
        "covered": f"{by}, which it holds, answers first",
        "empty": f"{against} holds nothing that answers here",
    }[reason]


def _sight_sentences(region: RegionSight) -> list[str]:
    lines: list[str] = []
    for sight in region.sights:
        lines.append(f"  in {_names(sight.spaces)}:")
        for seen in sight.visible:
            lines.append(f"    visible {_span(seen.start, seen.end)}, from byte {seen.offset:#x}")
        for start, end, words in _hidden(sight.hidden):
            lines.append(f"    hidden  {_span(start, end)}: {words}")
    by_cause: dict[str, list[str]] = {}
    for name, cause in zip(region.blind, region.blind_because, strict=True):
        by_cause.setdefault(cause, []).append(name)
    for cause, names in by_cause.items():
        lines.append(f"  {_names(tuple(names))}: nobody answers anywhere: {cause}")
    if not region.sights and not region.blind:
        lines.append("  no address space leads to it")
    return lines


def _hidden(parts: Iterable[Hidden]) -> list[tuple[int, int, str]]:
    """Return why ranges are hidden in words; neighbours with the same words as one."""
    found: list[tuple[int, int, str]] = []
    open_at: dict[tuple[int, str], int] = {}  # by end and words, the index in what was found
    for each in parts:
        words = _why(each) + (f"; {each.winner.name} answers" if each.winner else "")
        index = open_at.pop((each.start, words), len(found))
        start = each.start if index == len(found) else found[index][0]
        found[index : index + 1] = [(start, each.end, words)]
        open_at[each.end, words] = index
    return found


def _change(change: RegionChange) -> str:
    words: list[str] = []
    before, after = change.before, change.after
    for each in change.changes:
        if each == "moved" and before and after:
            words.append(f"moved from {before.addr:#x} to {after.addr:#x}")
        elif each == "resized" and before and after:
            words.append(f"resized from {format_size(before.size)} to {format_size(after.size)}")
        elif each == "repointed" and before and after:
            words.append(
                f"shows {after.target} from {after.alias_offset:#x},"
                f" was {before.target} from {before.alias_offset:#x}"
            )
        elif each == "priority" and before and after:
            words.append(f"priority {after.priority}, was {before.priority}")
        elif each in ("added", "removed"):
            place = f"{change.place:#x}, {format_size(change.state.size)}"
            words.append(f"{each} at {place}" + (f", with {change.below}" if change.below else ""))
        else:
            words.append(each)
    return ", ".join(words)


def _shows(shows: Shows | None) -> str:
    if shows is None:
        return "nobody"
    offset = f" from byte {shows.offset:#x}" if shows.offset else ""
    return f"{shows.name} ({shows.type}){offset}"


def _path(path: tuple[PathStep, ...]) -> str:
    steps: list[str] = []
    for step in path:
        off = "" if step.enabled else ", disabled"
        alias = f" (alias of {step.alias_of.name}{off})" if step.alias_of else ""
        steps.append(f"{step.name}+{step.offset:#x}{alias or off.replace(', ', ' (', 1)}")
        if off and not alias:
            steps[-1] += ")"
    return " > ".join(steps)


def _ram(place: RamPlace) -> str:
    where = "" if place.ram_addr is None else f", ram_addr {place.ram_addr:#x}"
    return f"RAM block {place.block}, offset {place.offset:#x}{where}"


def _names(spaces: tuple[str, ...]) -> str:
    counted = dict.fromkeys(spaces)
    return ", ".join(
        name if spaces.count(name) == 1 else f"{name} ({spaces.count(name)} times)"
        for name in counted
    )


def _span(start: int, end: int) -> str:
    return f"{start:x}-{end - 1:x}"
