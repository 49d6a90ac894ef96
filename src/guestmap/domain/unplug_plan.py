"""What unplugging a memory device will do, worked out before anything is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.domain import virtio_mem
from guestmap.domain.blockers import migration
from guestmap.domain.cautions import guest_cautions
from guestmap.domain.finding import PlanFinding, device_place
from guestmap.domain.machine_types import DIMM, VIRTIO_MEM
from guestmap.domain.plug_plan import Plan
from guestmap.domain.plugged import MemoryDevice
from guestmap.domain.predict import predicted, without_dimm
from guestmap.domain.situation import Scene, Situation, backend_id
from guestmap.domain.steps import Step

if TYPE_CHECKING:
    from guestmap.domain.request import UnplugRequest

_STOP = "stop the machine and start it without"
_FIXED = {
    "nvdimm": ("an NVDIMM cannot be unplugged from a running machine", _STOP),
    "virtio-pmem": ("a virtio-pmem device cannot be unplugged", _STOP),
}
"""Memory devices that are no DIMMs: why they stay, and what to do."""


def plan_unplug(scene: Scene, request: UnplugRequest) -> Plan:
    """Return what unplugging a DIMM will do."""
    situation = scene.situation
    device = situation.device(request.id)
    blockers = (*_unplug_blockers(situation, request, device), *migration(situation))
    announced = device is not None and device.kind != VIRTIO_MEM
    cautions = (
        *_unplug_cautions(device, request),
        *guest_cautions(situation, announced=announced),
    )
    if blockers or device is None:
        return Plan("unplug", scene, blockers, cautions, device)
    backend = None if request.keep_backend else own_backend(device)
    steps = [Step("device_del", {"id": device.name})]
    if backend is not None:
        steps.append(Step("object-del", {"id": backend}))
    change = predicted(scene.map, without_dimm(scene.map, device))
    return Plan("unplug", scene, blockers, cautions, device, backend, tuple(steps), change)


def own_backend(device: MemoryDevice) -> str | None:
    """Return the DIMM's backend where the name says that it was made for it, or else None."""
    if device.id is not None and device.backend == backend_id(device.id):
        return device.backend
    return None


def _unplug_blockers(
    situation: Situation, request: UnplugRequest, device: MemoryDevice | None
) -> tuple[PlanFinding, ...]:
    if device is None:
        known = ", ".join(device_place(each) for each in situation.devices)
        return (
            PlanFinding(
                "unknown-device",
                f"there is no memory device {request.id!r}",
                f"give the id, or the path, of one that there is: {known or 'none'}",
            ),
        )
    if device.kind == VIRTIO_MEM:
        return tuple(virtio_mem.unplug_blockers(situation, device))
    if device.kind != DIMM or not device.hotpluggable:
        other = f"{device.title} ({device.kind}) cannot be unplugged", _STOP
        why, remedy = _FIXED.get(device.kind, other)
        return (PlanFinding("not-unpluggable", why, remedy.format(id=device.id)),)
    return ()


def _unplug_cautions(
    device: MemoryDevice | None, request: UnplugRequest
) -> tuple[PlanFinding, ...]:
    if device is None:
        return ()
    found = []
    if device.hotplugged is False and device.kind == DIMM:
        found.append(
            PlanFinding(
                "cold-plugged",
                f"{device.title} was there when the guest booted: its kernel may have put data"
                " there that cannot be moved, and will refuse",
                "none needed: a refused unplug changes nothing",
            )
        )
    if device.backend is not None and not request.keep_backend and own_backend(device) is None:
        found.append(
            PlanFinding(
                "foreign-backend",
                f"the backend {device.backend!r} is not named as one made for {device.title}:"
                " it is kept, and so is the host's memory",
                f"delete it afterwards (QMP: object-del id={device.backend})",
            )
        )
    return tuple(found)
