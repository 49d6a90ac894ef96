"""Planning one machine, in a worker."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import msgspec

from guestmap.domain import PlugRequest, Situation, open_peer, plan_plug, survey
from guestmap.domain.placing import largest_fit
from guestmap.fleet.fleet_plan import PlannedMachine, Reason, planned
from guestmap.fleet.inventory import FleetMachine
from guestmap.fleet.look import Failure, Patience, is_live, tried
from guestmap.fleet.secrets import redacted
from guestmap.fleet.where import Where


class PlanOptions(msgspec.Struct, frozen=True):
    """What is to be plugged: bytes, the guest's NUMA node, and where."""

    size: int
    node: int = 0
    where: str = ""
    patience: Patience = Patience()


def plan_all(machines: Sequence[FleetMachine], options: PlanOptions) -> list[bytes]:
    """Return a :class:`PlannedMachine` of each machine, in JSON; nothing that one does raises."""
    return [msgspec.json.encode(plan_one(each, options)) for each in machines]


def plan_one(machine: FleetMachine, options: PlanOptions) -> PlannedMachine:
    """Return what there is to say of a machine."""
    if machine.trouble:
        return planned(machine, "failed", Reason("unreachable", redacted(machine.trouble)))
    if not is_live(machine) and os.path.exists(machine.source):
        what = "it is a recording, not a running machine"
        return planned(machine, "blocked", Reason("not-running", what, "plan where it runs"))
    told = tried(machine, options.patience, lambda: _planned(machine, options))
    if isinstance(told, Failure):
        return planned(machine, "failed", Reason(told.state, told.error))
    return told[0]


def _planned(machine: FleetMachine, options: PlanOptions) -> PlannedMachine:
    with open_peer(machine.source) as peer:
        scene = survey(peer)
    run = scene.situation.run
    if not Where(options.where).holds(facts_of(machine, scene.situation)):
        return planned(machine, "not-chosen", run=run)
    plan = plan_plug(scene, PlugRequest(options.size, node=options.node))
    useless = tuple(each for each in plan.cautions if each.useless)
    reasons = [Reason(e.code, e.text, e.remedy) for e in (*plan.blockers, *useless)]
    if plan.is_blocked or plan.device is None:
        return planned(machine, "blocked", *reasons, run=run)
    if plan.is_stopped:
        return planned(machine, "useless", *reasons, run=run)
    return planned(machine, "fits", run=run, addr=plan.device.addr, slot=plan.device.slot)


def facts_of(machine: FleetMachine, situation: Situation) -> dict[str, Any]:
    """Return what a condition may ask for; sizes in bytes."""
    return {
        "name": machine.name,
        "host": machine.host,
        "labels": machine.labels,
        "version": situation.version,
        "machine": situation.machine,
        "status": situation.status,
        "running": situation.running,
        "ram": situation.ram,
        "plugged": situation.plugged,
        "used": situation.used,
        "left": situation.bytes_left,
        "largest": largest_fit(situation),
        "slots": situation.slots,
        "slots_left": len(situation.free_slots),
        "kvm": situation.kvm,
        "orphans": len(situation.orphans),
    }
