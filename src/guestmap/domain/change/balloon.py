"""Asking the guest, by its balloon, to have so much memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import KIB
from guestmap.base.faults import point
from guestmap.domain.change.link import linked
from guestmap.domain.rules.errors import DomainError, refusal
from guestmap.domain.store.journal import Note
from guestmap.domain.xml.edit import with_current

if TYPE_CHECKING:
    from guestmap.domain.change.link import Link
    from guestmap.domain.change.targets import Targets
    from guestmap.domain.store.status import Status
    from guestmap.domain.store.store import Store
    from guestmap.domain.xml.definition import Definition


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
