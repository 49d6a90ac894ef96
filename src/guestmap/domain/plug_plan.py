"""What plugging or unplugging a DIMM will do, worked out before anything is done.

A plan is a value: a scene and a request go in, and out come all blockers and cautions at once, the
steps, and the change of the map that they will make. Nothing here talks to a machine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from guestmap.domain import virtio_mem
from guestmap.domain.blockers import migration, plug_blockers
from guestmap.domain.cautions import guest_cautions, plug_cautions
from guestmap.domain.finding import PlanFinding
from guestmap.domain.machine_types import DIMM
from guestmap.domain.placing import pick_address, pick_slot, qemus_choice
from guestmap.domain.plugged import MemoryDevice
from guestmap.domain.predict import predicted, with_dimm
from guestmap.domain.situation import Scene, Situation, backend_id
from guestmap.domain.steps import Step

if TYPE_CHECKING:
    from guestmap.domain.request import PlugRequest, ResizeRequest
    from guestmap.inspect.ask.diff import Diff

_SAID_BY = {
    "section-size": {"size-zero", "size-unaligned"},
    "section-address": {"address-unaligned", "address-outside", "address-overlap"},
}
"""Cautions, and the blockers that have the same cause: one finding for one cause."""
_BACKEND_TYPE = "memory-backend-ram"


@dataclass(frozen=True, slots=True)
class Plan:
    """One change of a machine's memory.

    Attributes:
        verb: ``plug`` or ``unplug``.
        scene: the machine before.
        device: the DIMM as it will be, or as it is; None where it cannot be told for blockers.
        backend: the memory backend to make, or to drop; None: none is dropped.
        steps: what will be done, in order; those of unplug wait for the guest in between.
        map_change: of the map; None where there is a blocker.
        requested: bytes that a virtio-mem device's guest is asked to have; None: not asked.
        force: it is to be done even where the guest will get nothing of it.
    """

    verb: str
    scene: Scene
    blockers: tuple[PlanFinding, ...]
    cautions: tuple[PlanFinding, ...]
    device: MemoryDevice | None = None
    backend: str | None = None
    steps: tuple[Step, ...] = ()
    map_change: Diff | None = None
    force: bool = False
    requested: int | None = None

    @property
    def is_blocked(self) -> bool:
        """Whether it would be refused."""
        return bool(self.blockers)

    @property
    def is_stopped(self) -> bool:
        """Whether it should not be done: refused, or of no use to the guest and not forced."""
        return self.is_blocked or (not self.force and any(c.useless for c in self.cautions))

    @property
    def situation(self) -> Situation:
        """The machine before."""
        return self.scene.situation

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "verb": self.verb,
            "is_stopped": self.is_stopped,
            "blockers": [each.to_json() for each in self.blockers],
            "cautions": [each.to_json() for each in self.cautions],
            "device": self.device and self.device.to_json(),
            "backend": self.backend,
            "requested": self.requested,
            "steps": [{"execute": s.command, "arguments": s.arguments} for s in self.steps],
            "map_change": self.map_change and self.map_change.to_json(),
        }


def plan_plug(scene: Scene, request: PlugRequest) -> Plan:
    """Return what plugging a memory device will do."""
    situation = scene.situation
    blockers = plug_blockers(situation, request)
    is_slotted = request.kind == DIMM
    slot = pick_slot(situation, request) if is_slotted else None
    address = pick_address(situation, request)
    refused = {each.code for each in blockers}
    cautions = tuple(
        each
        for each in plug_cautions(situation, request, address)
        if not refused & {each.code, *_SAID_BY.get(each.code, ())}
    )
    if blockers or (is_slotted and slot is None) or address is None:
        return Plan("plug", scene, blockers, cautions)
    prefix = "dimm" if is_slotted else "virtiomem"
    name = free_id(situation, slot or 0, prefix) if request.id is None else request.id
    backend = backend_id(name)
    device = MemoryDevice(name, request.kind, address, request.size, slot, request.node, backend)
    after = with_dimm(scene.map, backend, address, request.size)
    change = predicted(scene.map, after)
    own = qemus_choice(situation, request)
    told = None if own == address else address
    steps = plug_steps(device, backend, request, told)
    if not is_slotted:
        reserve = replace(steps[0], arguments={**steps[0].arguments, "reserve": False})
        hint = request.hint if told is None else told
        steps = (reserve, virtio_mem.plug_step(situation, device, request, hint))
    force = request.force
    return Plan(
        "plug", scene, blockers, cautions, device, backend, steps, change, force,
        requested=None if is_slotted else request.requested or 0,
    )  # fmt: skip


def plan_resize(scene: Scene, request: ResizeRequest) -> Plan:
    """Return what requesting another size of a virtio-mem device will do."""
    situation = scene.situation
    device = situation.device(request.id)
    blockers = (
        *virtio_mem.resize_blockers(situation, request, device),
        *migration(situation),
    )
    cautions = tuple(guest_cautions(situation, announced=False))
    if blockers or device is None:
        return Plan("resize", scene, blockers, cautions, device)
    return Plan(
        "resize",
        scene,
        blockers,
        cautions,
        device,
        steps=(virtio_mem.resize_step(device, request.size),),
        map_change=predicted(scene.map, scene.map),
        requested=request.size,
    )


def free_id(situation: Situation, slot: int, prefix: str = "dimm") -> str:
    """Return an id of the form ``dimmN`` that is free, as is its backend's: the slot's at best."""
    number = slot
    while (
        f"{prefix}{number}" in situation.device_names
        or backend_id(f"{prefix}{number}") in situation.object_names
    ):
        number += 1
    return f"{prefix}{number}"


def plug_steps(
    device: MemoryDevice, backend: str, request: PlugRequest, addr: int | None = None
) -> tuple[Step, ...]:
    """Return the two commands; what the caller left open is left to QEMU.

    Args:
        device: the DIMM as it will be.
        backend: its backend's id.
        request: what is asked for.
        addr: the address to tell QEMU where the caller asked for none; None: it chooses as we do.
    """
    add = {"qom-type": _BACKEND_TYPE, "id": backend, "size": device.size}
    plug: dict[str, Any] = {"driver": "pc-dimm", "id": device.id, "memdev": backend}
    plug["node"] = request.node
    if request.slot is not None:
        plug["slot"] = request.slot
    addr = request.hint if addr is None else addr
    if addr is not None:
        plug["addr"] = addr
    undo = Step("object-del", {"id": backend})
    return Step("object-add", add, undo), Step("device_add", plug)
