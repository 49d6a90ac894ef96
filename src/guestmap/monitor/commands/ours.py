"""Commands that QEMU has not: the memory map as a value, who answers at an address, what changed.

They read what is published, so they are answered whatever else the machine is busy with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.base import StateError
from guestmap.inspect import Snapshot
from guestmap.inspect.commit_json import commit_to_json
from guestmap.inspect.explain import explain
from guestmap.monitor.command import Arguments, Context, MonitorCommand, Need
from guestmap.qmp import ANY, INT, STR, UINT64, Command, Member, Struct

if TYPE_CHECKING:
    from guestmap.memory import CommitRecord, MemorySystem

_ATTEMPTS = 16


def _map(context: Context, _arguments: Arguments) -> dict[str, Any]:
    return _snapshot(context.vm.pc.system).to_json()


def _explain(context: Context, arguments: Arguments) -> dict[str, Any]:
    space = arguments.get("address-space", "memory")
    return explain(_snapshot(context.vm.pc.system), arguments["address"], space).to_json()


def _snapshot(memory: MemorySystem) -> Snapshot:
    """Return the map as it is between two commits.

    Nobody is kept from changing it meanwhile, so a snapshot during which it changed is thrown away.

    Raises:
        StateError: it changes faster than it can be read.
    """
    for _ in range(_ATTEMPTS):
        generation = _settled(memory)
        try:
            snapshot = Snapshot.of(memory)
        except (KeyError, RuntimeError):  # a region came or went while the tree was walked
            continue
        if _settled(memory) == generation:
            return snapshot
    raise StateError("the memory map changes all the time: stop the machine, then ask again")


def _settled(memory: MemorySystem) -> int:
    """Wait for the end of a transaction that another thread is in; return the last commit."""
    memory.transactions.refuse_inside("read")
    return memory.generation


def _history(context: Context, arguments: Arguments) -> dict[str, Any]:
    memory = context.vm.pc.system
    since = arguments.get("since", 0)
    records = [_record(each) for each in memory.history if each.generation > since]
    return {"generation": memory.generation, "commits": records}


def _record(record: CommitRecord) -> dict[str, Any]:
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
