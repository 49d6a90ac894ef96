"""Requesting another size of a virtio-mem device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from guestmap.base import KIB
from guestmap.base.faults import point
from guestmap.domain.change.link import PERIPHERAL, linked
from guestmap.domain.change.matching import twin_of
from guestmap.domain.change.which import Which, index_of
from guestmap.domain.rules.device_rules import refusals
from guestmap.domain.rules.errors import DomainError, refusal
from guestmap.domain.store.journal import Note
from guestmap.domain.xml.edit import with_devices

if TYPE_CHECKING:
    from guestmap.domain.store.status import Status
    from guestmap.domain.store.store import Store
    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.memory import MemoryDef


class Resizing(msgspec.Struct, frozen=True):
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
        in_live = index_of(now, which, "update-missing")
        live = _resized(now, in_live, requested)
        found = replace(found, live=live, status=with_devices(now, {in_live: live}, live=True))
    if stored is not None:
        if running is not None and in_live is not None:
            there = twin_of(running.definition, running.definition.devices[in_live], stored)
            if there is None:
                raise refusal(stored.dialect, "update-missing-config")
        else:
            there = index_of(stored, which, "update-missing-config")
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


def described(found: Definition, which: Which | MemoryDef, requested: int) -> MemoryDef:
    """Return a device of a definition as it will be; raises as :func:`plan_update`."""
    return _resized(found, index_of(found, which, "update-missing"), requested)


def _resized(found: Definition, index: int, requested: int) -> MemoryDef:
    device = replace(found.devices[index], requested=requested)
    for each in refusals(found, device, live=True):
        if each.text.startswith("requested size"):
            raise each
    return device
