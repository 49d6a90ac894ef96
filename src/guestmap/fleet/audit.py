"""Auditing a fleet: each machine looked at in a worker, its record as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from guestmap.fleet.look import LookOptions, is_live, look_at_all
from guestmap.fleet.record import SILENT, MachineAudit
from guestmap.fleet.stream import Job, Lost, Stream
from guestmap.qmp.client import LibvirtTarget, TcpTarget, parse_target

if TYPE_CHECKING:
    from distributed import Client

    from guestmap.fleet.inventory import FleetInventory, FleetMachine

LARGEST_BATCH = 50
"""Recorded machines of one task: a task of Dask's costs two to three milliseconds, more than one of
them does."""
_BATCHES = 16
"""At least so many: the last of few would be waited for."""
_RECORDED_S = 10.0


def audit(
    client: Client,
    inventory: FleetInventory,
    options: LookOptions,
    *,
    per_host: int = 4,
    everywhere: bool = True,
) -> Iterator[MachineAudit]:
    """Yield what there is to say of each machine, in the order in which it comes.

    Args:
        client: of the cluster that does the work.
        inventory: the machines.
        options: what is asked of them.
        per_host: machines of one host that are asked at a time.
        everywhere: see :class:`guestmap.fleet.stream.Stream`.
    """
    stream = Stream(client, look_at_all, options, per_host=per_host, everywhere=everywhere)
    for job, told in stream.run(jobs_of(inventory.machines, options.patience.timeout_s)):
        if isinstance(told, Lost):
            yield from (_lost(each, told) for each in job.machines)
        else:
            for record in (msgspec.json.decode(each, type=MachineAudit) for each in told):
                stream.saw(record.host, answers=record.state not in SILENT)
                yield record


def _lost(machine: FleetMachine, lost: Lost) -> MachineAudit:
    return MachineAudit(
        machine.name,
        machine.shown,
        machine.host,
        machine.labels,
        state="lost",
        error=lost.reason,
    )


def jobs_of(machines: Iterable[FleetMachine], timeout_s: float) -> Iterator[Job]:
    """Yield jobs: a live machine alone, recorded ones in batches by host."""
    machines = tuple(machines)
    recorded: dict[str, list[FleetMachine]] = {}
    size = max(1, min(LARGEST_BATCH, len(machines) // _BATCHES))
    for each in machines:
        if is_live(each) and not each.trouble:
            yield Job((each,), each.host, timeout_s, is_local=is_local(each))
            continue
        batch = recorded.setdefault(each.host, [])
        batch.append(each)
        if len(batch) == size:
            yield _of_recorded(recorded.pop(each.host))
    for batch in recorded.values():
        yield _of_recorded(batch)


def _of_recorded(batch: list[FleetMachine]) -> Job:
    is_there = not all(each.trouble for each in batch)
    return Job(tuple(batch), batch[0].host, _RECORDED_S * len(batch), is_local=is_there)


def is_local(machine: FleetMachine) -> bool:
    """Tell whether a source means something on its host alone: a socket, a file, libvirt's own."""
    target = parse_target(machine.source)
    if isinstance(target, LibvirtTarget):
        return target.uri is None or ":///" in target.uri
    return not isinstance(target, TcpTarget)
