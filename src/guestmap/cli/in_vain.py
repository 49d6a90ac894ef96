"""What the guest of ``guestmap boot`` did in vain: a table for people, values for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from guestmap.accel.in_vain import InVain, VainAccess, VainAccesses, Why
from guestmap.base import printable
from guestmap.cli.tables import print_whole, table

if TYPE_CHECKING:
    from rich.console import Console

MOST = 16
"""Entries in a table."""


def print_in_vain(out: Console, kept: InVain | None) -> None:
    """Print what was in vain, the first of it; nothing where nothing was, or it is not told."""
    if kept is None or not kept.entries:
        return
    entries = kept.entries
    out.print(Text("in vain: what the guest did that nobody took", style="bold"))
    made = table("first", "last", ("times", "right"), "access", "address", "value", "at", "why")
    for each in entries[:MOST]:
        made.add_row(*(printable(cell) for cell in _cells(each, kept.goes_on)))
    print_whole(out, made)
    more = len(entries) - MOST
    if more > 0:
        out.print(f"... and {more} more: --json has them")
    if kept.unlisted:
        out.print(f"... and {kept.unlisted} accesses for which the list had no room")
    if not kept.goes_on and any(not each.exact for each in entries[:MOST]):
        out.print("~: this instruction or a later one before the next jump", soft_wrap=True)


def _cells(entry: VainAccesses, goes_on: bool) -> tuple[str, ...]:
    first, last = entry.first, entry.last
    value = "" if first.value is None else f"{first.value:#x}"
    if last.value != first.value:
        value += f" ... {last.value:#x}"
    mark = "" if entry.exact else "before " if goes_on else "~"
    spread = "" if entry.low == entry.high else f"-{entry.high + entry.size - 1:x}"
    return (
        f"{first.time_ns / 1e6:.2f} ms",
        f"{last.time_ns / 1e6:.2f} ms",
        str(entry.count),
        f"{'write' if entry.is_write else 'read'} {entry.size} B",
        f"{entry.low:016x}{spread}",
        value,
        f"{mark}{entry.cs:04x}:{entry.ip:08x}",
        _why(entry),
    )


def _why(entry: VainAccesses) -> str:
    if entry.why is Why.NOBODY:
        return "nobody answers"
    if entry.why is Why.ROM:
        return f"{entry.region} is read-only here"
    return f"{entry.region} refuses this size or alignment"


def in_vain_to_json(kept: InVain | None) -> dict[str, Any] | None:
    """Return all that is kept as JSON-able values; None where the engine does not tell."""
    if kept is None:
        return None
    return {"entries": [_entry(each) for each in kept.entries], "unlisted": kept.unlisted}


def _entry(entry: VainAccesses) -> dict[str, Any]:
    return {
        "space": entry.space,
        "why": entry.why.value,
        "kind": "write" if entry.is_write else "read",
        "size": entry.size,
        "region": entry.region or None,
        "cs": entry.cs,
        "ip": entry.ip,
        "exact": entry.exact,
        "low": entry.low,
        "high": entry.high,
        "count": entry.count,
        "first": _access(entry.first),
        "last": _access(entry.last),
    }


def _access(access: VainAccess) -> dict[str, Any]:
    return {
        "time_s": access.time_ns / 1e9,
        "address": access.address,
        "value": access.value,
    }
