"""Planning for a fleet: each machine asked in a worker, none changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from guestmap.base import ConfigError
from guestmap.fleet.audit import jobs_of
from guestmap.fleet.fleet_plan import PlannedMachine, Reason, planned
from guestmap.fleet.plan_work import PlanOptions, plan_all
from guestmap.fleet.record import SILENT
from guestmap.fleet.stream import Lost, Stream

if TYPE_CHECKING:
    from distributed import Client

    from guestmap.fleet.inventory import FleetInventory


def plan_fleet(
    client: Client,
    inventory: FleetInventory,
    options: PlanOptions,
    *,
    per_host: int = 4,
    everywhere: bool = True,
) -> Iterator[PlannedMachine]:
    """Yield what there is to say of each machine, in the order in which it comes.

    Raises:
        ConfigError: one source has two names: its memory would be counted twice.
    """
    _refuse_twins(inventory)
    stream = Stream(client, plan_all, options, per_host=per_host, everywhere=everywhere)
    for job, told in stream.run(jobs_of(inventory.machines, options.patience.timeout_s)):
        if isinstance(told, Lost):
            reason = Reason("lost", told.reason)
            yield from (planned(each, "failed", reason) for each in job.machines)
        else:
            for one in (msgspec.json.decode(each, type=PlannedMachine) for each in told):
                is_silent = any(reason.code in SILENT for reason in one.reasons)
                stream.saw(one.host, answers=not is_silent)
                yield one


def _refuse_twins(inventory: FleetInventory) -> None:
    seen: dict[str, str] = {}
    for each in inventory:
        first = seen.setdefault(each.source, each.name)
        if first != each.name and not each.trouble:
            raise ConfigError(
                f"{first} and {each.name} are one machine, {each.shown}: leave one of them out of"
                " the inventory, or choose with --select"
            )
