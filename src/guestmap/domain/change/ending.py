"""Ending a domain's machine, and resetting it."""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from guestmap.base import GuestmapError
from guestmap.base.faults import point
from guestmap.domain.change.link import linked
from guestmap.domain.process.launch import end

if TYPE_CHECKING:
    from guestmap.domain.store.status import Status
    from guestmap.domain.store.store import Store


def destroy(store: Store, status: Status, *, graceful: bool = True) -> None:
    """End a machine at once, as a power failure does; the job is held.

    Raises:
        HostError: it does not end.
    """
    point("destroy.before-kill")
    end(status.process, gently=graceful)
    point("destroy.after-kill")
    forget(store, status.definition.name)


def forget(store: Store, name: str) -> None:
    """Remove what is kept of a machine that ended, the files that were its memory, too."""
    with suppress(GuestmapError):  # a status that cannot be read goes all the same
        if (status := store.status(name)) is not None:
            store.forget_all_memory(status)
    store.notes(name).strike()
    store.forget_status(name)
    point("sockets.before-remove")  # the next machine's take their place
    shutil.rmtree(store.machine_folder(name), ignore_errors=True)


def shutdown(status: Status) -> None:
    """Ask a guest to shut down; it ends its machine when it has."""
    with linked(status) as link:
        point("shutdown.before-powerdown")
        link.do("system_powerdown")
        point("shutdown.after-powerdown")


def reset(store: Store, status: Status) -> None:
    """Reset a machine, and read again what it has, as libvirt does.

    A DIMM that the guest was asked for stays asked for: QEMU keeps the request.
    """
    with linked(status) as link:
        point("reset.before-reset")
        link.do("system_reset")
        point("reset.after-reset")
        store.save_status(link.refresh())
