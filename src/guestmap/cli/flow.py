"""The firmware's flow on the command line: as lines, as a summary, and as values for programs.

The summary is in the order in which SeaBIOS's "Execution and code flow" tells of it: phases and
modes, resume and reboot, threads, hardware interrupts, the extra stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.base import printable
from guestmap.cli.tables import table
from guestmap.machine.flow.records import (
    STACK_KINDS,
    Decided,
    FirmwareEntry,
    FlowEvent,
    ModeChange,
    Stack,
    StackHop,
    StackKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from guestmap.machine.flow.tracker import FlowTracker


def flow_line(event: FlowEvent) -> str:
    """Return an event in a line."""
    if isinstance(event, FirmwareEntry):
        return f"entered by the reset vector: {printable(event.cause)}"
    if isinstance(event, Decided):
        return f"decided: {event.entry.decision}"
    if isinstance(event, ModeChange):
        return f"mode {event.before} -> {event.after}"
    if isinstance(event, StackHop):
        return _hop_line(event)
    took = (event.until_ns - event.time_ns) / 1e3
    came = ", ".join(f"{each:02X}h" for each in event.came) or "nothing"
    return f"interrupts open at {event.address:08x} for {took:.0f} us: {came} came in"


def _hop_line(hop: StackHop) -> str:
    before = "" if hop.before is None else f"{_name(hop.before)}{' (ends)' * hop.ends} -> "
    cause = f", by {hop.cause}" if hop.cause else ""
    begins = f" begins in {printable(hop.after.place)}" if hop.begins else ""
    return f"stack {before}{_name(hop.after)}{begins}{cause}"


def _name(stack: Stack) -> str:
    return f"{stack.number} {stack.kind}"


def flow_table(flow: FlowTracker) -> Table:
    """Return what a flow came to as a table for people."""
    made = table("what", "how", title="the firmware's flow")
    made.show_header = False
    for row in _rows(flow):
        made.add_row(*row)
    return made


def _rows(flow: FlowTracker) -> Iterable[tuple[str, str]]:
    for (before, after), count in flow.modes.items():
        yield "mode changes", f"{before} -> {after}: {count}"
    yield "SMI", f"{flow.smis}"
    for entry in flow.entries:
        time = f"{entry.time_ns / 1e6:.2f} ms"
        yield "reset vector", f"{time}: {printable(entry.cause)}: {entry.decision}"
    yield from _stack_rows(flow, "threads", StackKind.THREAD)
    came = ", ".join(f"{vector:02X}h {count} times" for vector, count in sorted(flow.came.items()))
    yield "interrupts", f"opened {flow.windows} times; came in: {came or 'nothing'}"
    for kind in (StackKind.EXTRA, StackKind.MAIN, StackKind.SMM, StackKind.OTHER):
        yield from _stack_rows(flow, f"{kind} stack", kind)


def _stack_rows(flow: FlowTracker, title: str, kind: StackKind) -> Iterable[tuple[str, str]]:
    for each in flow.stacks.known:
        if each.kind is kind:
            by = ", ".join(f"{cause} {count}" for cause, count in sorted(each.causes.items()))
            lives = f", lives {each.lives}" if each.lives > 1 else ""
            text = (
                f"{each.low:x}-{each.high:x} in {printable(each.place)}: come to {each.hops} times"
                f"{lives}{f' ({by})' if by else ''}"
            )
            yield title, text


def flow_to_json(flow: FlowTracker) -> dict[str, Any]:
    """Return a flow as JSON-able values; times in seconds."""
    return {
        "modes": [
            {"before": before, "after": after, "count": count}
            for (before, after), count in flow.modes.items()
        ],
        "smis": flow.smis,
        "entries": [
            {"time_s": each.time_ns / 1e9, "cause": each.cause, "decision": str(each.decision)}
            for each in flow.entries
        ],
        "windows": flow.windows,
        "came_in": {f"{vector:02X}h": count for vector, count in sorted(flow.came.items())},
        "calls": {f"{vector:02X}h": count for vector, count in sorted(flow.calls.items())},
        "stacks": [_stack(each) for each in flow.stacks.known],
        "events": [{"time_s": each.time_ns / 1e9, "text": flow_line(each)} for each in flow.events],
    }


def _stack(stack: Stack) -> dict[str, Any]:
    return {
        "number": stack.number,
        "kind": str(stack.kind),
        "meaning": STACK_KINDS[stack.kind],
        "place": stack.place,
        "low": stack.low,
        "high": stack.high,
        "born_s": stack.born_ns / 1e9,
        "left_s": stack.left_ns / 1e9,
        "lives": stack.lives,
        "hops": stack.hops,
        "causes": dict(sorted(stack.causes.items())),
    }
