"""What attaching a memory device comes to: worked out, and checked, before anything is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from guestmap.base import KIB
from guestmap.domain.process.backend_props import device_backend, is_allocated
from guestmap.domain.process.memory_props import device_props
from guestmap.domain.process.pci import bus_name, placed
from guestmap.domain.rules.assign import assigned, is_express
from guestmap.domain.rules.device_rules import refusals
from guestmap.domain.rules.errors import DomainError, refusal
from guestmap.domain.rules.host_rules import few_pages
from guestmap.domain.rules.room import LIVE_UNIT, Room, rounded, told
from guestmap.domain.xml.edit import with_device
from guestmap.domain.xml.memory import (
    SLOTTED,
    DimmAddress,
    PciAddress,
    parse_memory,
    without_foreign_alias,
)
from guestmap.domain.xml.tree import read_xml

if TYPE_CHECKING:
    from guestmap.domain.finding import PlanFinding
    from guestmap.domain.rules.texts import LibvirtDialect
    from guestmap.domain.store.status import Status
    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.memory import MemoryDef


@dataclass(frozen=True)
class AttachPlan:
    """What attaching a device comes to, worked out before anything is done.

    Attributes:
        device: as it was given.
        live: as it goes into the machine; None: not there.
        config: the stored definition as it will be; None: it stays.
        arguments: of ``object-add`` and ``device_add``; empty where there is no machine.
        expected: as the machine will have it, unless it says otherwise; None: no machine.
    """

    device: MemoryDef
    live: MemoryDef | None = None
    config: Definition | None = None
    arguments: tuple[dict[str, object], ...] = ()
    expected: MemoryDef | None = None


def read_device(data: bytes, dialect: LibvirtDialect, *, is_new: bool = True) -> MemoryDef:
    """Return the memory device of a document.

    Args:
        data: the document.
        dialect: which libvirt's rules.
        is_new: it is to be one; else it may have any alias, since a machine has it already.

    Raises:
        DomainError: it is none.
    """
    root = read_xml(data, "device_definition", dialect)
    if root.name != "memory":
        raise refusal(
            dialect, "not-memory", name=root.name, at=root, remedy="give a <memory> device"
        )
    found = parse_memory(root, dialect)
    return without_foreign_alias(found) if is_new else found


def plan_attach(
    stored: Definition | None,
    running: Status | None,
    device: MemoryDef,
    *,
    force: bool = False,
) -> AttachPlan:
    """Return what attaching a device will do.

    Args:
        stored: the definition that gets it; None: none does.
        running: the machine that gets it; None: none does.
        device: what is attached.
        force: do it even where the guest gets nothing of it.

    Raises:
        DomainError: the first thing that is in the way.
    """
    rooms = rooms_for(stored, running, device)
    for each in obstacles(*rooms, force=force):
        raise each
    in_stored, in_live = rooms
    config = None if in_stored is None else _stored_with(in_stored)
    if running is None or in_live is None:
        return AttachPlan(device, config=config)
    now = running.definition
    live = assigned(now, replace(device, size=rounded(device) // KIB), live=True)
    live = _where_it_is_of_use(in_live, live)
    address = live.address
    bus = bus_name(now, address.bus) if isinstance(address, PciAddress) else None
    backend = device_backend(now, live, LIVE_UNIT, running.memory)
    props = device_props(live, bus, allocated=is_allocated(now, live))
    expected = _at(live, in_live.base) if live.model in SLOTTED else live
    return AttachPlan(device, live, config, (backend, props), expected)


def _stored_with(room: Room) -> Definition:
    """Return a stored definition with one more device; on q35 with the port that it wants, too."""
    stored, device = room.definition, room.device
    if device.model in SLOTTED or device.address is not None or not is_express(stored):
        given = _where_it_is_of_use(room, assigned(stored, device, live=False))
        return with_device(stored, given, live=False)
    return placed(with_device(placed(stored), device, live=False))


def _where_it_is_of_use(room: Room, device: MemoryDef) -> MemoryDef:
    """Return a device with an address, where QEMU would choose one that the guest cannot use."""
    return _at(device, room.better_base(device))


def _at(device: MemoryDef, base: int | None) -> MemoryDef:
    """Return a device at an address; None: as it is."""
    if base is None or not isinstance(device.address, DimmAddress):
        return device
    return replace(device, address=DimmAddress(device.address.slot, base))


def rooms_for(
    stored: Definition | None, running: Status | None, device: MemoryDef
) -> tuple[Room | None, Room | None]:
    """Return the definitions that get a device, each with it: the stored one, and that in force."""
    return (
        None if stored is None else Room(stored, device),
        None if running is None else Room(running.definition, device),
    )


def obstacles(stored: Room | None, live: Room | None, *, force: bool = False) -> list[DomainError]:
    """Return all that is in the way, what libvirt would say first first.

    What QEMU will say of the running machine is left to QEMU: its words are the better ones.
    """
    found: list[DomainError] = []
    own: list[DomainError] = []
    if stored is not None:
        found += refusals(stored.definition, stored.device, live=False)
        own += map(told, _of_stored_alone(stored, live))
        own += few_pages(stored.definition, stored.device) if live is None else ()
    if live is not None:
        found += refusals(live.definition, live.device, live=True)
    for each in (stored, live):
        if each is not None and not force:
            own += [told(finding) for finding in each.misfits()]
    texts: dict[str, DomainError] = {}
    for error in (*found, *own):
        texts.setdefault(error.text, error)
    return list(texts.values())


def _of_stored_alone(stored: Room, live: Room | None) -> tuple[PlanFinding, ...]:
    """Return what is in the way of the stored definition, and not of the machine as well."""
    found = stored.blockers()
    if not found or live is None:
        return found
    said_by_qemu = {each.code for each in live.blockers()}
    return tuple(each for each in found if each.code not in said_by_qemu)
