"""Carrying a plan out on one machine, in a worker: locked, planned anew, applied, verified.

Whoever is killed at any moment leaves a lock that says ``begun``, and a DIMM or a backend whose
names have the plan's id. Who comes next reads both, and finishes or clears away exactly that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from guestmap.base import GuestmapError, StateError, format_size
from guestmap.domain import (
    Applier,
    MemoryDevice,
    Outcome,
    Peer,
    PlugRequest,
    Scene,
    UnplugRequest,
    open_peer,
    plan_plug,
    plan_unplug,
    survey,
)
from guestmap.domain.noting import strike_out
from guestmap.domain.ost import INSERTIONS, OstKind, explain
from guestmap.domain.situation import backend_id
from guestmap.domain.steps import Step
from guestmap.fleet.applied import ENDINGS, AppliedMachine, Ending
from guestmap.fleet.inventory import FleetMachine
from guestmap.fleet.machine_lock import OPEN, LockNote, MachineLock, Phase, locked
from guestmap.fleet.secrets import redacted

_PAUSE_S = 0.25
_LOCK_GRACE_S = 5.0


class ApplyOrder(msgspec.Struct, frozen=True):
    """What is done on each machine.

    Attributes:
        plan: its id. device: the DIMM's id. size: bytes. node: the guest's.
        runs: by machine: the run that the plan was made for.
        guest_s: seconds that a guest has to answer.
    """

    plan: str
    device: str
    size: int
    node: int = 0
    runs: dict[str, str] = {}
    guest_s: float = 10.0


def apply_all(machines: Sequence[FleetMachine], order: ApplyOrder) -> list[bytes]:
    """Return an :class:`AppliedMachine` of each, in JSON; nothing that a machine does raises."""
    return [msgspec.json.encode(_safely(each, order, _apply)) for each in machines]


def undo_all(machines: Sequence[FleetMachine], order: ApplyOrder) -> list[bytes]:
    """Take out again what a plan put into machines; like :func:`apply_all`."""
    return [msgspec.json.encode(_safely(each, order, _undo)) for each in machines]


_Work = Callable[["OneMachine"], AppliedMachine]


def _safely(machine: FleetMachine, order: ApplyOrder, work: _Work) -> AppliedMachine:
    """Do the work under the machine's lock; say in a line why it cannot be done."""
    begun = False
    try:
        with locked(machine.source, order.guest_s + _LOCK_GRACE_S) as lock:
            try:
                with open_peer(machine.source) as peer:
                    return work(OneMachine(machine, order, lock, peer))
            finally:
                note = lock.note()
                begun = note is not None and note.plan == order.plan and note.phase in OPEN
    except StateError as error:
        return _told(machine, "open" if begun else "busy", error)
    except Exception as error:  # noqa: BLE001 -- one machine's line, whatever it is
        return _told(machine, "open" if begun else "failed", error)


def _told(machine: FleetMachine, ending: Ending, error: Exception) -> AppliedMachine:
    named = isinstance(error, GuestmapError)
    text = str(error) if named else f"{type(error).__name__}: {error}"
    return AppliedMachine(machine.name, machine.host, ending, error=redacted(text))


class OneMachine:
    """A machine that is locked and asked.

    Args:
        machine: of the inventory. order: what is done. lock: held. peer: connected.
    """

    def __init__(
        self, machine: FleetMachine, order: ApplyOrder, lock: MachineLock, peer: Peer
    ) -> None:
        self.machine = machine
        self.order = order
        self.lock = lock
        self.peer = peer
        self.scene: Scene = survey(peer)
        self.run = self.scene.situation.run
        self.note = lock.note()

    @property
    def device(self) -> MemoryDevice | None:
        """The plan's DIMM, where it is there."""
        return self.scene.situation.device(self.order.device)

    @property
    def is_ours(self) -> bool:
        """Whether the lock's note is this plan's, and of this run."""
        return self.note is not None and self.note.is_of(self.order.plan, self.run)

    def keep(self, phase: Phase, outcome: str = "") -> None:
        """Have the lock say how far it came."""
        order = self.order
        note = LockNote(
            order.plan, self.machine.shown, self.run, phase, order.device, order.size, outcome
        )
        self.lock.write(note)

    def ended(self, ending: Ending, **more: Any) -> AppliedMachine:
        """Return how it ended."""
        return AppliedMachine(self.machine.name, self.machine.host, ending, **more)

    def clear_backend(self) -> str:
        """Delete the backend of a DIMM that was never made; say what was done, "" if nothing."""
        backend = backend_id(self.order.device)
        if backend not in self.scene.situation.backends or self.device is not None:
            return ""
        self.peer.change("object-del", Step("object-del", {"id": backend}).arguments)
        strike_out(self.peer.journal, self.scene.situation, {backend})
        self.scene = survey(self.peer)
        return f"the backend {backend} was there without its DIMM, and is deleted"


def _apply(one: OneMachine) -> AppliedMachine:
    note, order = one.note, one.order
    if (
        note is not None
        and not one.is_ours
        and note.phase in OPEN
        and note.is_of(note.plan, one.run)
    ):
        return one.ended("held", error=f"plan {note.plan} is open here ({note.phase})")
    if one.device is not None and one.device.size != order.size:
        had, wanted = format_size(one.device.size), format_size(order.size)
        why = f"{order.device} is there with {had}, not {wanted}: the plan was edited; plan anew"
        return one.ended("refused", error=why)
    if one.is_ours and note is not None and note.phase == "done":
        ending = ENDINGS.get(Outcome(note.outcome), "plugged")
        return one.ended(ending, outcome=note.outcome, earlier=True)
    planned_run = order.runs.get(one.machine.name, "")
    if planned_run and one.run and planned_run != one.run:
        return one.ended("stale", error="it was started anew since the plan was made: plan again")
    if one.device is not None:
        return _finish(one)
    return _plug(one, one.clear_backend() if one.is_ours else "")


def _plug(one: OneMachine, settled: str) -> AppliedMachine:
    request = PlugRequest(one.order.size, node=one.order.node, id=one.order.device)
    plan = plan_plug(one.scene, request)
    if plan.is_stopped:
        why = (*plan.blockers, *(each for each in plan.cautions if each.useless))
        one.keep("failed", "blocked")
        error = "; ".join(f"{each.code}: {each.text}" for each in why)
        return one.ended("refused", outcome="blocked", error=error, settled=settled)
    one.keep("begun")
    result = Applier(one.peer, timeout_s=one.order.guest_s).plug(plan)
    ending = ENDINGS.get(result.outcome, "refused")
    if ending != "open":
        one.keep("failed" if ending == "refused" else "done", str(result.outcome))
    return one.ended(
        ending,
        outcome=str(result.outcome),
        error="; ".join((*filter(None, [result.error]), *result.wrong)),
        settled=settled,
        result=result.to_json(),
    )


def _finish(one: OneMachine) -> AppliedMachine:
    """Finish what was begun, and got as far as the DIMM: hear what its guest said, or says."""
    until = time.monotonic() + one.order.guest_s
    while (outcome := _said(one)) is None and time.monotonic() < until:
        time.sleep(_PAUSE_S)
        one.scene = survey(one.peer)
    ended = outcome or Outcome.SILENT
    one.keep("done", str(ended))
    settled = f"{one.order.device} was plugged already, and is kept"
    return one.ended(ENDINGS[ended], outcome=str(ended), settled=settled)


def _said(one: OneMachine) -> Outcome | None:
    """Return what the guest said of the DIMM; None: nothing yet."""
    device = one.device
    if device is None or device.slot is None:
        return Outcome.LEFT_BEHIND
    status = one.scene.situation.slot_status(device.slot)
    if status.source not in INSERTIONS or not (status.source or status.status):
        return None
    kind = explain(status.source, status.status).kind
    if kind is OstKind.PENDING:
        return None
    return Outcome.ACKNOWLEDGED if kind is OstKind.SUCCESS else Outcome.GUEST_REFUSED


def _undo(one: OneMachine) -> AppliedMachine:
    if not one.is_ours and one.device is None:
        return one.ended("not-ours")
    if one.device is None:
        settled = one.clear_backend()
        one.keep("undone")
        return one.ended("undone", settled=settled)
    plan = plan_unplug(one.scene, UnplugRequest(one.order.device))
    if plan.is_stopped:
        error = "; ".join(f"{each.code}: {each.text}" for each in plan.blockers)
        return one.ended("plugged", outcome="blocked", error=error)
    one.keep("undoing")
    result = Applier(one.peer, timeout_s=one.order.guest_s).unplug(plan)
    ending = ENDINGS.get(result.outcome, "plugged")
    if ending != "open":
        one.keep("undone" if ending == "undone" else "done", str(result.outcome))
    return one.ended(
        ending, outcome=str(result.outcome), error=result.error, result=result.to_json()
    )
