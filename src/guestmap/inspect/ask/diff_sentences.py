"""What changed between two maps, in plain sentences, one a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import format_size
from guestmap.inspect.ask.words import names_words, span

if TYPE_CHECKING:
    from guestmap.inspect.ask.diff import Diff
    from guestmap.inspect.ask.region_diff import RegionChange
    from guestmap.inspect.ask.view_diff import Shows


def diff_sentences(told: Diff) -> list[str]:
    """Say what probably happened, which regions changed, and who answers where since."""
    if told.is_empty:
        return ["Nothing changed."]
    lines = [f"Probably: {cause.text}" for cause in told.causes]
    lines += [f"Address space {name} was added" for name in told.added]
    lines += [f"Address space {name} was removed" for name in told.removed]
    for view in told.views:
        lines.append(f"Changed in {names_words(view.spaces)}:")
        for each in view.ranges:
            now, was = _shows(each.after), _shows(each.before)
            lines.append(f"  {span(each.start, each.end)}: {now}, was {was}")
    if told.regions:
        lines.append("Regions:")
    lines += [f"  {'/'.join(change.path)}: {_change(change)}" for change in told.regions]
    return lines


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
