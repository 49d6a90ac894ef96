"""Attaching a memory device: to the machine that runs, to the stored definition, or to both.

The order is libvirt's (qemuDomainAttachDeviceFlags): everything is checked against both before
anything is done, the definition is changed as a copy, then the machine, then what is known of it is
saved, and the definition last. Whatever fails, the four documents and the machine are as before.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from guestmap.base import GuestmapError, HostError
from guestmap.base.faults import point
from guestmap.domain.change import strangers
from guestmap.domain.change.removal import take_back
from guestmap.domain.process.backend_props import is_in
from guestmap.domain.rules.assign import backend_name
from guestmap.domain.rules.errors import DomainError
from guestmap.domain.store.files import make_folder
from guestmap.domain.store.journal import Note
from guestmap.domain.xml.write import memory_xml

if TYPE_CHECKING:
    from guestmap.domain.change.attach_plan import AttachPlan
    from guestmap.domain.change.link import Link
    from guestmap.domain.store.status import Status
    from guestmap.domain.store.store import Store
    from guestmap.domain.xml.memory import MemoryDef


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
    expected = plan.expected
    assert expected is not None  # where there is a machine
    point("attach.before-object-add")
    try:
        link.send("object-add", backend)
    except DomainError as error:
        if remedy := strangers.of_backend(link, str(backend["id"]), error):
            raise error.advising(remedy) from error
        raise
    point("attach.before-device-add")
    try:
        link.send("device_add", device, meanwhile=lambda: link.having(expected))
    except DomainError as error:
        with suppress(DomainError):  # the first error is what is told
            link.do("object-del", id=backend["id"])
        store.forget_memory(link.status, str(device["id"]))
        if remedy := strangers.of_slot(link, error):
            raise error.advising(remedy) from error
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
