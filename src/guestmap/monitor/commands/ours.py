"""Commands that QEMU has not: the memory map as a value, who answers at an address, what changed.

They need not wait for the machine, only for the transaction that it is in. What they need is
imported when one is first asked: most machines are managed by who asks what QEMU knows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from guestmap.monitor.command import Arguments, Context, MonitorCommand, Need
from guestmap.qmp import ANY, INT, STR, UINT64, Command, Member, Struct

if TYPE_CHECKING:
    from guestmap.inspect import Snapshot
    from guestmap.machine import VirtualMachine
    from guestmap.memory.map import CommitRecord


def _map(context: Context, _arguments: Arguments) -> dict[str, Any]:
    return snapshot_of(context.vm).to_json()


def _explain(context: Context, arguments: Arguments) -> dict[str, Any]:
    from guestmap.inspect.ask.explain import explain

    space = arguments.get("address-space", "memory")
    return explain(snapshot_of(context.vm), arguments["address"], space).to_json()


def snapshot_of(vm: VirtualMachine) -> Snapshot:
    """Return the map as it is between two transactions, with the slots that show it."""
    from guestmap.inspect import Snapshot
    from guestmap.inspect.map.snapshot import SlotInfo

    with vm.board.system.steady():
        slots = tuple(SlotInfo(**each._asdict()) for each in vm.accelerator.memory_slots())
        return replace(Snapshot.of(vm.board.system), slots=slots)


def _history(context: Context, arguments: Arguments) -> dict[str, Any]:
    memory = context.vm.board.system
    since = arguments.get("since", 0)
    records = [_record(each) for each in memory.history if each.generation > since]
    return {"generation": memory.generation, "commits": records}


def _record(record: CommitRecord) -> dict[str, Any]:
    from guestmap.inspect.map.commit_json import commit_to_json

    return commit_to_json(record, {"time-ns": record.time_ns}, offset_key="offset-in-region")


_EXPLAIN = Struct(
    "x-guestmap-explain-arg",
    (Member("address", UINT64), Member("address-space", STR, optional=True)),
)
_HISTORY = Struct("x-guestmap-history-arg", (Member("since", INT, optional=True),))

COMMANDS = (
    MonitorCommand(Command("x-guestmap-map", None, ANY, oob=True), _map, Need.NOTHING),
    MonitorCommand(Command("x-guestmap-explain", _EXPLAIN, ANY, oob=True), _explain, Need.NOTHING),
    MonitorCommand(Command("x-guestmap-history", _HISTORY, ANY, oob=True), _history, Need.NOTHING),
)
