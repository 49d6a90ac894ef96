"""What is so of a domain's memory: by its definitions, by QEMU, and by its guest."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from guestmap.base import KIB, HostError, PeerError, exact_size, format_size
from guestmap.domain.agent import AgentSocket, GuestAgent
from guestmap.domain.change.matching import twin_of
from guestmap.domain.finding import span
from guestmap.domain.ost import EJECTIONS, INSERTIONS, OstKind, explain
from guestmap.domain.plans.domain_plan import look
from guestmap.domain.xml.memory import DIMM, SLOTTED
from guestmap.inspect.map.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.domain.manager import Manager
    from guestmap.domain.plugged import MemoryDevice
    from guestmap.domain.situation import Situation
    from guestmap.domain.store.status import Status
    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.memory import MemoryDef


class Standing(StrEnum):
    """What a guest has of a device."""

    ONLINE = "online"
    ACKNOWLEDGED = "acknowledged"
    OFFLINE = "not online"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verified(Report):
    """One memory device.

    Attributes:
        alias: its name.
        standing: what the guest has of it.
        said: who says so, and how.
        place: where it is.
        online: bytes that the guest has online; None: nobody tells.
    """

    alias: str
    standing: Standing
    said: str
    place: str
    online: int | None = None


@dataclass(frozen=True, slots=True)
class Verification(Report):
    """What was found.

    Attributes:
        devices: each memory device of the machine.
        wrong: what is not as the definition in force says.
        notes: where both definitions differ, and what stands in between.
    """

    devices: tuple[Verified, ...]
    wrong: tuple[str, ...]
    notes: tuple[str, ...]


def verify(manager: Manager, name: str, agent: str | None = None) -> Verification:
    """Ask QEMU, the guest's last words, and its agent; nothing is changed.

    Args:
        manager: whose domain.
        name: the domain.
        agent: the agent's socket; None: that of the definition, where it has one.

    Raises:
        DomainError: there is no such domain, or it does not run.
        HostError, PeerError: it does not answer.
    """
    stored, running = manager.store.known(name)
    if running is None:
        from guestmap.domain.rules.errors import refusal

        raise refusal(manager.store.dialect, "not-running", remedy="start it")
    situation = look(running).situation
    teller = _agent(manager.store.machine_folder(name), running, agent)
    found = running.definition
    devices = tuple(_judged(each, situation, teller) for each in situation.devices)
    notes = (*_notes(found, stored), *_under_way(running))
    return Verification(devices, tuple(_wrong(found, situation)), notes)


def _wrong(found: Definition, situation: Situation) -> Iterator[str]:
    for device in found.devices:
        there = situation.device(device.alias or "")
        if there is None:
            yield f"{device.alias} of the definition is not in the machine"
            continue
        for what, wanted, actual in _pairs(device, there):
            if wanted is not None and wanted != actual:
                yield f"{what} of {device.alias} is {actual} in the machine, {wanted} by definition"
    known = {each.alias for each in found.devices}
    for each in situation.devices:
        if each.id not in known:
            yield f"{each.title} at {span(each.addr, each.size)} is in no definition of ours"
    for orphan in situation.orphans:
        yield (
            f"the backend {orphan} ({format_size(situation.backends[orphan])}) belongs to no device"
        )


def _pairs(device: MemoryDef, there: MemoryDevice) -> Iterator[tuple[str, object, object]]:
    yield "the slot", device.slot, there.slot
    yield "the node", device.node, there.node
    if device.place is not None:
        yield "the address", hex(device.place), hex(there.addr)
    if device.model == DIMM:
        yield "the size", exact_size(device.size * KIB), exact_size(there.size)


def _judged(device: MemoryDevice, situation: Situation, teller: GuestAgent | None) -> Verified:
    name, place = device.title, span(device.addr, device.size)
    if device.present is not None:
        has = f"the guest has {format_size(device.present)} of {format_size(device.requested or 0)}"
        standing = Standing.ONLINE if device.present == device.requested else Standing.OFFLINE
        return Verified(name, standing, f"{has} requested", place, device.present)
    if teller is not None:
        try:
            online = teller.online(device)
        except (HostError, PeerError) as error:
            said = f"the agent does not tell ({error})"
        else:
            standing = Standing.ONLINE if online >= device.size else Standing.OFFLINE
            told = f"agent: {format_size(online)} of {format_size(device.size)} online"
            return Verified(name, standing, told, place, online)
    else:
        said = "there is no agent to ask"
    if device.kind not in SLOTTED or device.slot is None:
        return Verified(name, Standing.UNKNOWN, said, place)
    last = situation.slot_status(device.slot)
    answer = explain(last.source, last.status)
    if answer.source in EJECTIONS and answer.kind is OstKind.FAILURE:
        return Verified(name, Standing.ACKNOWLEDGED, f"it kept it: {answer}; {said}", place)
    if (last.source, last.status) == (0, 0) or answer.source not in INSERTIONS:
        return Verified(name, Standing.UNKNOWN, f"the guest said nothing of it; {said}", place)
    standing = {OstKind.SUCCESS: Standing.ACKNOWLEDGED, OstKind.FAILURE: Standing.REFUSED}.get(
        answer.kind, Standing.UNKNOWN
    )
    return Verified(name, standing, f"{answer}; {said}", place)


def _notes(found: Definition, stored: Definition | None) -> Iterator[str]:
    if stored is None:
        yield "there is no stored definition"
        return
    twins = {twin_of(found, device, stored): device.alias for device in found.devices}
    for device in found.devices:
        if device.alias not in twins.values() or twin_of(found, device, stored) is None:
            yield f"{device.alias} is in the machine, and not in the stored definition"
    for index, other in enumerate(stored.devices):
        if index not in twins:
            yield (
                f"a {other.model} of {format_size(other.size * KIB)}"
                f"{'' if other.slot is None else f' in slot {other.slot}'} is in the stored"
                " definition, and not in the machine: it comes with the next start"
            )


def _under_way(running: Status) -> Iterator[str]:
    for each in running.pending:
        yield f"the guest was asked for {each.alias}, and has not let go of it"


def _agent(folder: Path, running: Status, agent: str | None) -> GuestAgent | None:
    if agent is not None:
        return GuestAgent(AgentSocket(agent))
    for each in running.definition.root.every("devices/channel"):
        source = each.find("source")
        path = (source.get("path") if source is not None else None) or str(folder / "agent")
        return GuestAgent(AgentSocket(path))
    return None
