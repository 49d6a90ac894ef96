"""Commands that QEMU has not: the guest's accesses in a range, as they happen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.machine.trace import TRACE_STOPPED, TRACED, TraceRange, traced_to_json
from guestmap.monitor.command import Arguments, Context, MonitorCommand
from guestmap.qmp import ANY, BOOL, INT, STR, Command, EventType, Member, Struct

if TYPE_CHECKING:
    from guestmap.machine.trace import Trace


def _begin(context: Context, arguments: Arguments) -> dict[str, Any]:
    trace: Trace = context.vm.trace
    trace.add(TraceRange.parse(arguments["range"]), stops=arguments.get("stop", False))
    return {}


def _end(context: Context, _arguments: Arguments) -> dict[str, Any]:
    context.vm.trace.clear()
    return {}


def _query(context: Context, arguments: Arguments) -> dict[str, Any]:
    trace: Trace = context.vm.trace
    since = arguments.get("since", 0)
    kept = trace.since(since)
    return {
        "total": trace.total,
        "forgotten": max(trace.total - since, 0) - len(kept),
        "accesses": [traced_to_json(each) for each in kept],
    }


_ACCESS = (
    Member("time-ns", INT),
    Member("kind", STR),
    Member("address", INT),
    Member("size", INT),
    Member("value", ANY),
    Member("region", ANY),
    Member("offset", INT),
    Member("cs", INT),
    Member("ip", INT),
    Member("exact", BOOL),
    Member("total", INT),
)
_BEGIN = Struct("x-guestmap-trace-arg", (Member("range", STR), Member("stop", BOOL, optional=True)))
_QUERY = Struct("x-guestmap-query-trace-arg", (Member("since", INT, optional=True),))

EVENTS = tuple(EventType(name, Struct(f"{name}-arg", _ACCESS)) for name in (TRACED, TRACE_STOPPED))

COMMANDS = (
    MonitorCommand(Command("x-guestmap-trace", _BEGIN, None), _begin),
    MonitorCommand(Command("x-guestmap-trace-end", None, None), _end),
    MonitorCommand(Command("x-guestmap-query-trace", _QUERY, ANY), _query),
)
