"""Requesting another size of a virtio-mem device, and of the whole guest (its balloon)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from guestmap.base import KIB
from guestmap.domain.change.link import PERIPHERAL, linked
from guestmap.domain.change.matching import twin_of
from guestmap.domain.rules.device_rules import refusals
from guestmap.domain.rules.errors import DomainError, refusal
from guestmap.domain.rules.room import rounded
from guestmap.domain.rules.texts import XML_DETAIL
from guestmap.domain.store.faults import point
from guestmap.domain.store.journal import Note
from guestmap.domain.xml.edit import with_current, with_devices
from guestmap.domain.xml.memory import VIRTIO_MEM

if TYPE_CHECKING:
    from guestmap.domain.change.link import Link
    from guestmap.domain.change.targets import Targets
    from guestmap.domain.rules.texts import LibvirtDialect
    from guestmap.domain.store.status import Status
    from guestmap.domain.store.store import Store
    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.memory import MemoryDef


@dataclass(frozen=True, slots=True)
class Which:
    """Which virtio-mem device is meant; where nothing is said, the only one.

    Attributes:
        alias: its name in the machine.
        node: the guest's node that it is in.
    """

    alias: str | None = None
    node: int | None = None


@dataclass(frozen=True)
class Resizing:
    """What requesting a size comes to.

    Attributes:
        live: the device as it will be in the machine; None: it is not concerned.
        status: the definition in force as it will be.
        config: the stored definition as it will be; None: it stays.
    """

    live: MemoryDef | None = None
    status: Definition | None = None
    config: Definition | None = None


def plan_update(
    stored: Definition | None,
    running: Status | None,
    which: Which | MemoryDef,
    requested: int,
) -> Resizing:
    """Return what requesting a size will do.

    Args:
        stored: the definition that changes; None: none does.
        running: the machine that changes; None: none does.
        which: the device, or all of it as it shall be.
        requested: KiB.

    Raises:
        DomainError: there is no such device, or it cannot have that size.
    """
    found = Resizing()
    in_live = None
    if running is not None:
        now = running.definition
        in_live = _index(now, which, "update-missing")
        live = _resized(now, in_live, requested)
        found = replace(found, live=live, status=with_devices(now, {in_live: live}, live=True))
    if stored is not None:
        if running is not None and in_live is not None:
            there = twin_of(running.definition, running.definition.devices[in_live], stored)
            if there is None:
                raise refusal(stored.dialect, "update-missing-config")
        else:
            there = _index(stored, which, "update-missing-config")
        new = _resized(stored, there, requested)
        found = replace(found, config=with_devices(stored, {there: new}, live=False))
    return found


def update(store: Store, running: Status | None, plan: Resizing) -> None:
    """Carry out what was planned; the job is held.

    Raises:
        DomainError: QEMU refuses; everything is as before.
        HostError: what changed cannot be saved.
    """
    if running is None or plan.live is None or plan.status is None:
        if plan.config is not None:
            store.save(plan.config)
        return
    notes, alias = store.notes(running.definition.name), plan.live.alias or ""
    config = None if plan.config is None else plan.config.data.decode()
    notes.write(Note("update", alias=alias, config=config, requested=plan.live.requested))
    with linked(running) as link:
        point("update.before-qom-set")
        try:
            link.do("qom-set", path=f"{PERIPHERAL}/{alias}", property="requested-size",
                    value=(plan.live.requested or 0) * KIB)  # fmt: skip
        except DomainError:
            notes.strike()
            raise
        point("update.after-qom-set")
        link.status = running.having(plan.status)
        store.save_status(link.status)
        if plan.config is not None:
            store.save(plan.config)
    notes.strike()


def set_memory(store: Store, stored: Definition | None, running: Status | None, kib: int,
               targets: Targets) -> None:  # fmt: skip
    """Ask the guest, by its balloon, to have so much memory, or store it for the next start.

    Args:
        store: where the definitions are.
        stored: the stored definition.
        running: the machine.
        kib: how much.
        targets: which of both.

    Raises:
        DomainError: it is more than there is, or there is no balloon.
    """
    for each in (stored if targets.config else None,
                 running.definition if targets.live and running else None):  # fmt: skip
        if each is not None and kib > each.total:
            raise refusal(each.dialect, "over-memory", remedy=f"at most {each.total} KiB")
    config = with_current(stored, kib) if targets.config and stored is not None else None
    if targets.live and running is not None:
        found = running.definition
        if not any((each.get("model") or "").startswith("virtio")
                   for each in found.root.every("devices/memballoon")):  # fmt: skip
            raise refusal(found.dialect, "no-balloon",
                          remedy="add <memballoon model='virtio'/>; it counts from the next"
                          " start")  # fmt: skip
        notes = store.notes(found.name)
        told = None if config is None else config.data.decode()
        notes.write(Note("setmem", config=told, requested=kib))
        with linked(running) as link:
            try:
                ask_balloon(store, link, kib, config)
            except DomainError:
                notes.strike()
                raise
        notes.strike()
    elif config is not None:
        store.save(config)


def ask_balloon(store: Store, link: Link, kib: int, config: Definition | None) -> None:
    """Ask the guest to have so much memory, and save it in both definitions; asked twice is once.

    Raises:
        DomainError: QEMU refuses; nothing is saved.
    """
    point("setmem.before-balloon")
    link.do("balloon", value=kib * KIB)
    point("setmem.after-balloon")
    link.status = link.status.having(with_current(link.status.definition, kib))
    store.save_status(link.status)
    if config is not None:
        store.save(config)


def described(found: Definition, which: Which | MemoryDef, requested: int) -> MemoryDef:
    """Return a device of a definition as it will be; raises as :func:`plan_update`."""
    return _resized(found, _index(found, which, "update-missing"), requested)


def _index(found: Definition, which: Which | MemoryDef, what: str) -> int:
    if not isinstance(which, Which):
        return _of_document(found, which, what)
    fitting = [
        index
        for index, device in enumerate(found.devices)
        if device.model == VIRTIO_MEM
        and (which.alias is None or which.alias == device.alias)
        and (which.node is None or which.node == device.node)
    ]
    if len(fitting) == 1:
        return fitting[0]
    raise _missing(found, what, which.alias)


def _of_document(found: Definition, wanted: MemoryDef, what: str) -> int:
    """Return which device a document means; all of it but the requested size stays."""
    for each in refusals(found, wanted, live=True):
        if each.code == XML_DETAIL:  # what is wrong with the document alone
            raise each
    if wanted.model != VIRTIO_MEM:
        raise refusal(found.dialect, "fixed-model", model=wanted.model)
    fitting = [
        index
        for index, device in enumerate(found.devices)
        if device.model == VIRTIO_MEM
        and device.node == wanted.node
        and (wanted.alias is None or device.alias in {None, wanted.alias})
        and (wanted.address is None or device.address == wanted.address)
    ]
    if len(fitting) != 1:
        raise _missing(found, what, wanted.alias)
    _refuse_others(found.devices[fitting[0]], wanted, found.dialect)
    return fitting[0]


def _refuse_others(device: MemoryDef, wanted: MemoryDef, dialect: LibvirtDialect) -> None:
    """Refuse another change than of the requested size."""
    told = {"size": (rounded(device) // KIB, rounded(wanted) // KIB),
            "block": (device.block, wanted.block),
            "access": (device.access or "default", wanted.access or "default")}  # fmt: skip
    if wanted.base is not None and device.base is not None:
        told["address"] = (f"{device.base:#x}", f"{wanted.base:#x}")
    for what, (was, now) in told.items():
        if was != now:
            raise refusal(dialect, f"fixed-{what}", was=was, now=now,
                          remedy="detach it, and attach another one")  # fmt: skip


def _missing(found: Definition, what: str, alias: str | None) -> DomainError:
    known = ", ".join(f"{d.alias or 'one without alias'} in node {d.node}" for d in found.devices
                      if d.model == VIRTIO_MEM)  # fmt: skip
    return refusal(
        found.dialect, what, alias=alias or "virtio-mem",
        remedy=f"say which: --alias or --node (there are: {known or 'none'})",
    )  # fmt: skip


def _resized(found: Definition, index: int, requested: int) -> MemoryDef:
    device = replace(found.devices[index], requested=requested)
    for each in refusals(found, device, live=True):
        if each.text.startswith("requested size"):
            raise each
    return device
