"""Detaching a memory device: the guest is asked, and what it does decides.

Where libvirt says "detached" after five silent seconds and takes the device out of the stored
definition all the same, here the answer is that the guest was asked: both definitions keep the
device until the machine has let go of it, and then both lose it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from guestmap.domain.change.matching import choose
from guestmap.domain.change.removal import WAIT_S, Fate, ask, drop_backend
from guestmap.domain.rules.assign import backend_name
from guestmap.domain.rules.errors import DomainError, Speaker, refusal
from guestmap.domain.rules.texts import text_of
from guestmap.domain.store.journal import Note
from guestmap.domain.store.status import Pending
from guestmap.domain.xml.edit import without_device

if TYPE_CHECKING:
    from guestmap.domain.change.link import Link
    from guestmap.domain.store.status import Status
    from guestmap.domain.store.store import Store
    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.memory import MemoryDef


@dataclass(frozen=True)
class Detachment:
    """What detaching a device comes to.

    Attributes:
        live: as it is in the machine; None: not there.
        config: the stored definition as it will be; None: it stays.
    """

    live: MemoryDef | None = None
    config: Definition | None = None


def plan_detach(stored: Definition | None, running: Status | None, wanted: MemoryDef) -> Detachment:
    """Return what detaching a device will do.

    Args:
        stored: the definition that loses it; None: none does.
        running: the machine that loses it; None: none does.
        wanted: the device, as a document describes it.

    Raises:
        DomainError: there is none that fits.
    """
    live = None if running is None else running.definition
    in_live, in_stored = choose(live, stored, wanted)
    return Detachment(
        live=None if live is None or in_live is None else live.devices[in_live],
        config=None if stored is None or in_stored is None else without_device(stored, in_stored),
    )


def plan_detach_alias(stored: Definition | None, running: Status | None, alias: str) -> Detachment:
    """Return what detaching the device of a name will do; raises as :func:`plan_detach`."""
    found = running.definition if running is not None else stored
    assert found is not None
    wanted = next((each for each in found.devices if each.alias == alias), None)
    if wanted is None:
        raise refusal(found.dialect, "no-alias", alias=alias)
    return plan_detach(stored, running, wanted)


def detach(store: Store, link: Link | None, plan: Detachment, *, wait_s: float = WAIT_S) -> bool:
    """Carry out what was planned; tell whether the device is gone; the job is held.

    Where it is not, the guest was asked, and whoever next changes the domain, or listens to it,
    finishes when the guest has let go.

    Args:
        store: where the definitions are.
        link: to the machine; None: the definition alone changes.
        plan: what is done.
        wait_s: seconds that the guest has.

    Raises:
        DomainError: the guest refuses, or QEMU does; everything is as before.
        HostError: what changed cannot be saved; the next change of the domain does it.
        PeerError: the machine does not answer; likewise.
    """
    if link is None or plan.live is None:
        if plan.config is not None:
            store.save(plan.config)
        return True
    running, alias = link.status, plan.live.alias or ""
    notes = store.notes(running.definition.name)
    config = None if plan.config is None else plan.config.data.decode()
    notes.write(Note("detach", alias=alias, backend=backend_name(plan.live), config=config))
    try:
        verdict = ask(link, alias, wait_s)
    except DomainError:
        notes.strike()
        raise
    if verdict.fate is Fate.REFUSED:
        notes.strike()
        raise _rejected(running, verdict.why)
    if verdict.fate is Fate.SILENT:
        link.status = replace(link.status, aliases=link.aliases())
        pending(store, link, alias, config=plan.config is not None)
    else:
        drop_backend(link, backend_name(plan.live))
        gone(store, link, alias, plan.config)
    notes.strike()
    return verdict.fate is Fate.GONE


def gone(store: Store, link: Link, alias: str, config: Definition | None) -> None:
    """Note that a device has left its machine, in both definitions; its file goes, too."""
    store.forget_memory(link.status, alias)
    left = link.status.without_pending(alias)
    status = replace(left, definition=link.lacking(alias), aliases=link.aliases())
    link.status = status
    store.save_status(status)
    if config is not None:
        store.save(config)


def pending(store: Store, link: Link, alias: str, *, config: bool) -> None:
    """Note that the guest was asked for a device, and has not let go of it yet."""
    before = link.status.without_pending(alias)
    link.status = replace(before, pending=(*before.pending, Pending(alias, config)))
    store.save_status(link.status)


def _rejected(running: Status, why: str) -> DomainError:
    text = text_of(running.definition.dialect, "rejected")
    return DomainError(text.code, text.words, domain=text.domain, speaker=Speaker.GUEST, remedy=why)
