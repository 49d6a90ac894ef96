"""What every change begins with: what the last one left is finished, or undone.

Somebody may have been killed between two steps, and a guest may have let go of a device since it
was asked. What is so is asked of the machine; it is never ended for what it answers.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from guestmap.base import KIB, HostError, PeerError
from guestmap.domain.change.balloon import ask_balloon
from guestmap.domain.change.detach import gone, pending
from guestmap.domain.change.ending import forget
from guestmap.domain.change.link import PERIPHERAL, Link, linked
from guestmap.domain.change.matching import twin_of
from guestmap.domain.change.removal import drop_backend
from guestmap.domain.change.start import finish
from guestmap.domain.process.launch import ends_soon
from guestmap.domain.rules.assign import backend_name
from guestmap.domain.rules.errors import DomainError
from guestmap.domain.store.status import STARTING
from guestmap.domain.xml.definition import Definition, parse_definition
from guestmap.domain.xml.edit import with_device, with_devices, without_alias, without_device
from guestmap.domain.xml.memory import parse_memory
from guestmap.domain.xml.tree import read_xml

if TYPE_CHECKING:
    from guestmap.domain.events.log import EventLog
    from guestmap.domain.store.journal import Note
    from guestmap.domain.store.status import Pending, Status
    from guestmap.domain.store.store import Store


def recover(store: Store, name: str, log: EventLog) -> Status | None:
    """Finish or undo what is left of a domain's last change; the job is held.

    Returns:
        What is known of its machine then; None: it does not run.

    Raises:
        HostError, PeerError, DomainError: what is so cannot be found out, or not be saved.
    """
    status, note = store.status(name), store.notes(name).read()
    if status is None:
        if note is not None:
            store.notes(name).strike()
        return None
    if not status.is_alive:
        forget(store, name)
        log.tell("lifecycle", name, "stopped")
        return None
    if status.state != STARTING and note is None and not status.pending:
        return status
    if status.state == STARTING:
        _finish_start(store, status, log)
        return store.running(name)
    with linked(status) as link:
        if note is not None:
            _finish(store, link, note, log)
            store.notes(name).strike()
        names = set(link.aliases()) if link.status.pending else set()
        for each in link.status.pending:
            if each.alias not in names:
                _left(store, link, each)
                log.tell("device-removed", name, each.alias)
        return link.status


def _finish_start(store: Store, status: Status, log: EventLog) -> None:
    """Let a machine run whose start was broken off; one that waits for its word never was one."""
    name = status.definition.name
    try:
        with linked(status) as link:
            finish(store, link)
    except (HostError, PeerError):
        if not ends_soon(status.process):
            raise
        forget(store, name)
    else:
        log.tell("lifecycle", name, "started")


def _finish(store: Store, link: Link, note: Note, log: EventLog) -> None:
    """Do the rest of a change, or take its first half back."""
    name = link.status.definition.name
    config = None
    if note.config is not None:
        config = parse_definition(note.config.encode(), store.dialect)
    if note.verb == "attach":
        if any(each.data.id == note.alias for each in link.memory_devices()):
            _adopt(store, link, note, config)
            log.tell("device-added", name, note.alias)
        else:
            drop_backend(link, note.backend)
            store.forget_memory(link.status, note.alias)
            _as_it_was(store, link, note)
    elif note.verb == "detach":
        if note.alias not in link.aliases():
            drop_backend(link, note.backend)
            gone(store, link, note.alias, config)
            log.tell("device-removed", name, note.alias)
        else:
            # Whether the guest was asked is not known; asked twice, it is asked once.
            with suppress(DomainError):
                link.do("device_del", id=note.alias)
            pending(store, link, note.alias, config=note.config is not None)
    elif note.verb == "update":
        _resized(store, link, note, config)
    elif note.verb == "setmem" and note.requested is not None:
        # Whether the guest was asked is not known; asked twice, it is asked once.
        with suppress(DomainError):
            ask_balloon(store, link, note.requested, config)


def _resized(store: Store, link: Link, note: Note, config: Definition | None) -> None:
    """Save a size that QEMU was told; where it was not, all is as before."""
    path = f"{PERIPHERAL}/{note.alias}"
    said = link.do("qom-get", path=path, property="requested-size")
    if note.requested is None or said != note.requested * KIB:
        return
    found = link.status.definition
    for index, device in enumerate(found.devices):
        if device.alias == note.alias:
            now = with_devices(found, {index: replace(device, requested=note.requested)}, live=True)
            link.status = link.status.having(now)
    store.save_status(link.status)
    if config is not None:
        store.save(config)


def _adopt(store: Store, link: Link, note: Note, config: Definition | None) -> None:
    """Save a device that was plugged and not saved."""
    found = link.status.definition
    if note.alias not in {each.alias for each in found.devices}:
        device = parse_memory(read_xml(note.device.encode(), "device_definition"), store.dialect)
        link.status = link.status.having(with_device(found, device, live=True))
    store.save_status(link.refresh())
    if config is not None:
        store.save(config)


def _as_it_was(store: Store, link: Link, note: Note) -> None:
    """Take a device out of what is known that never came, or was taken back."""
    found = link.status.definition
    now = without_alias(found, note.alias)
    if now is not found:
        link.status = link.status.having(now)
        store.save_status(link.status)


def _left(store: Store, link: Link, left: Pending) -> None:
    """Finish the removal of a device that the guest let go of."""
    found = link.status.definition
    device = next((each for each in found.devices if each.alias == left.alias), None)
    if device is None:
        gone(store, link, left.alias, None)
        return
    drop_backend(link, backend_name(device))
    stored = store.definition(found.name) if left.config else None
    twin = None if stored is None else twin_of(found, device, stored)
    gone(store, link, left.alias, None if stored is None or twin is None
         else without_device(stored, twin))  # fmt: skip
