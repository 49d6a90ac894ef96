"""Attaching a memory device: to the machine that runs, to the stored definition, or to both.

The order is libvirt's (qemuDomainAttachDeviceFlags): everything is checked against both before
anything is done, the definition is changed as a copy, then the machine, then what is known of it is
saved, and the definition last. Whatever fails, the four documents and the machine are as before.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from guestmap.base import KIB, GuestmapError, HostError
from guestmap.base.faults import point
from guestmap.domain.change.removal import take_back
from guestmap.domain.process.backend_props import device_backend, is_allocated, is_in
from guestmap.domain.process.memory_props import device_props
from guestmap.domain.process.pci import bus_name, placed
from guestmap.domain.rules.assign import assigned, backend_name, is_express
from guestmap.domain.rules.device_rules import refusals
from guestmap.domain.rules.errors import DomainError, refusal
from guestmap.domain.rules.room import LIVE_UNIT, Room, rounded, told
from guestmap.domain.store.files import make_folder
from guestmap.domain.store.journal import Note
from guestmap.domain.xml.edit import with_device
from guestmap.domain.xml.memory import (
    SLOTTED,
    DimmAddress,
    PciAddress,
    parse_memory,
    without_foreign_alias,
)
from guestmap.domain.xml.tree import read_xml
from guestmap.domain.xml.write import memory_xml

if TYPE_CHECKING:
    from guestmap.domain.change.link import Link
    from guestmap.domain.rules.texts import LibvirtDialect
    from guestmap.domain.store.status import Status
    from guestmap.domain.store.store import Store
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
    """

    device: MemoryDef
    live: MemoryDef | None = None
    config: Definition | None = None
    arguments: tuple[dict[str, object], ...] = ()


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
    found = AttachPlan(device)
    if stored is not None:
        found = replace(found, config=_stored_with(stored, device))
    room = rooms[1]
    if running is not None and room is not None:
        now = running.definition
        live = assigned(now, replace(device, size=rounded(device) // KIB), live=True)
        base = room.better_base(live)
        if base is not None and isinstance(live.address, DimmAddress):
            live = replace(live, address=DimmAddress(live.address.slot, base))
        address = live.address
        bus = bus_name(now, address.bus) if isinstance(address, PciAddress) else None
        found = replace(
            found,
            live=live,
            arguments=(
                device_backend(now, live, LIVE_UNIT, running.memory),
                device_props(live, bus, allocated=is_allocated(now, live)),
            ),
        )
    return found


def _stored_with(stored: Definition, device: MemoryDef) -> Definition:
    """Return a stored definition with one more device; on q35 with the port that it wants, too."""
    if device.model in SLOTTED or device.address is not None or not is_express(stored):
        return with_device(stored, assigned(stored, device, live=False), live=False)
    return placed(with_device(placed(stored), device, live=False))


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
    said_by_qemu = set() if live is None else {each.code for each in live.blockers()}
    if stored is not None:
        found += refusals(stored.definition, stored.device, live=False)
        own += [told(each) for each in stored.blockers() if each.code not in said_by_qemu]
    if live is not None:
        found += refusals(live.definition, live.device, live=True)
    for each in (stored, live):
        if each is not None and not force:
            own += [told(finding) for finding in each.misfits()]
    texts: dict[str, DomainError] = {}
    for error in (*found, *own):
        texts.setdefault(error.text, error)
    return list(texts.values())


def attach(store: Store, link: Link | None, plan: AttachPlan) -> Status | None:
    """Carry out what was planned; return what is known of the machine then; the job is held.

    Args:
        store: where the definitions are.
        link: to the machine; None: the definition alone changes.
        plan: what is done.

    Raises:
        DomainError: QEMU refuses; everything is as before.
        HostError: what changed cannot be saved; the message says what is so.
        PeerError: the machine does not answer; the next change of it finds out what is so.
    """
    if link is None or plan.live is None:
        if plan.config is not None:
            store.save(plan.config)
        return None
    before = link.status
    if is_in(plan.arguments[0], before.memory):
        make_folder(Path(before.memory))
    notes = store.notes(before.definition.name)
    alias, backend = plan.live.alias or "", backend_name(plan.live)
    notes.write(
        Note(
            "attach",
            alias=alias,
            backend=backend,
            device=memory_xml(plan.live, live=True),
            config=None if plan.config is None else plan.config.data.decode(),
        )
    )
    try:
        _plug(store, link, plan)
    except DomainError:
        notes.strike()
        raise
    _keep(store, link, plan, before)
    notes.strike()
    return link.status


def _plug(store: Store, link: Link, plan: AttachPlan) -> None:
    """Make the backend and the device, or neither."""
    backend, device = plan.arguments
    point("attach.before-object-add")
    try:
        link.send("object-add", backend)
    except DomainError as error:
        raise _orphaned(link, str(backend["id"]), error) from error
    point("attach.before-device-add")
    try:
        link.send("device_add", device)
    except DomainError:
        with suppress(DomainError):  # the first error is what is told
            link.do("object-del", id=backend["id"])
        store.forget_memory(link.status, str(device["id"]))
        raise
    point("attach.after-device-add")


def _keep(store: Store, link: Link, plan: AttachPlan, before: Status) -> None:
    """Save what is so now; where that cannot be, have it as before."""
    assert plan.live is not None
    is_noted = False
    try:
        link.adopt(plan.live)
        store.save_status(link.status)
        is_noted = True
        if plan.config is not None:
            store.save(plan.config)
    except (HostError, DomainError) as error:
        told_after = _undone(store, link, plan.live, before, is_noted=is_noted)
        raise _same(error, told_after) from error


def _undone(store: Store, link: Link, device: MemoryDef, before: Status, *, is_noted: bool) -> str:
    """Take a device out again whose attachment cannot be saved; say what is so."""
    alias = device.alias or ""
    try:
        if not take_back(link, alias, backend_name(device)):
            return (
                f"{alias} is plugged, and the guest did not give it back: the next change of this"
                " domain saves it"
            )
        store.forget_memory(before, alias)
        if is_noted:
            store.save_status(before)
        store.notes(before.definition.name).strike()
    except GuestmapError as error:
        return f"{alias} was asked back ({error}): the next change of this domain finds out"
    return f"{alias} was taken out again; everything is as before"


def _same(error: GuestmapError, more: str) -> GuestmapError:
    if isinstance(error, HostError):
        told_now = HostError(f"{error}; {more}")
        told_now.errno = error.errno
        return told_now
    return DomainError(error.code if isinstance(error, DomainError) else 1, str(error), remedy=more)


def _orphaned(link: Link, backend: str, error: DomainError) -> DomainError:
    """Say of a backend that is there already whose it is."""
    if f"'{backend}'" not in error.text or "duplicate" not in error.text:
        return error
    user = next(
        (d.data.id for d in link.memory_devices() if (d.data.memdev or "").endswith(f"/{backend}")),
        None,
    )
    remedy = (
        f"{backend} is the memory of {user}: choose another alias"
        if user
        else f"{backend} belongs to no device, and was not made here: another manager may be"
        f" between its two commands; else: guestmap dimms {link.wire.source} --clean {backend}"
    )
    return DomainError(1, error.text.removeprefix("internal error: "), domain=error.domain,
                        speaker=error.speaker, remedy=remedy)  # fmt: skip
