"""Starting a domain's machine."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from guestmap.base import GuestmapError, HostError, PeerError
from guestmap.base.faults import point
from guestmap.domain.change.link import Link
from guestmap.domain.process.backend_props import makes_files
from guestmap.domain.process.command_line import MONITORS, command_line, environment
from guestmap.domain.process.devices_line import left_out
from guestmap.domain.process.launch import Launch, ends_soon, last_words
from guestmap.domain.process.own_machine import is_own, own_command_line
from guestmap.domain.process.pci import placed
from guestmap.domain.process.wire import GREETING_S, Wire, greeted, listen
from guestmap.domain.rules.assign import assigned
from guestmap.domain.rules.errors import DomainError, Speaker, refusal
from guestmap.domain.rules.texts import text_of
from guestmap.domain.store.files import make_folder
from guestmap.domain.store.status import PAUSED, RUNNING, STARTING, Status
from guestmap.domain.xml.edit import with_devices, with_id
from guestmap.qmp.client import GoneError

if TYPE_CHECKING:
    import socket

    from guestmap.domain.store.store import Store
    from guestmap.domain.xml.definition import Definition

_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Started:
    """A machine that was started.

    Attributes:
        status: what is known of it.
        notes: what of the definition it has not.
    """

    status: Status
    notes: tuple[str, ...] = ()


def start(store: Store, stored: Definition, *, paused: bool = False) -> Started:
    """Start a domain's machine; the job is held.

    Raises:
        DomainError: it cannot be started; nothing of it is left.
        HostError, PeerError: the same.
    """
    path = stored.emulator
    if not os.path.isabs(path) or not os.access(path, os.X_OK):
        raise refusal(
            stored.dialect,
            "no-emulator",
            path=path or "(none)",
            remedy="name the program in <emulator>, by its whole path",
            at=stored.root.find("devices/emulator"),
        )
    number = _next_id(store)
    live = with_id(_with_names(stored if is_own(stored) else placed(stored)), number)
    folder = store.machine_folder(stored.name)
    make_folder(folder)
    log = folder / "log"
    log.unlink(missing_ok=True)
    point("start.before-spawn")
    memory = store.memory_folder(stored.name, number)
    launch, paths = _launch(live, folder, memory, log)
    status = Status(STARTING, number, launch.process, *paths, definition=live, memory=str(memory))
    try:
        store.save_status(status)
        if makes_files(live, str(memory)):
            make_folder(memory)
        point("start.before-exec")
        launch.go()
        with _greeted(status, log) as wire:
            status = finish(store, Link(wire, status), paused=paused)
    except BaseException:
        launch.drop()
        store.forget_all_memory(status)
        store.forget_status(stored.name)
        raise
    return Started(status, left_out(live))


def finish(store: Store, link: Link, *, paused: bool = False) -> Status:
    """Bring a machine that waits at its start to where it runs."""
    status = link.refresh() if link.status.definition.devices else link.status
    link.status = status = replace(status, aliases=status.aliases or link.aliases())
    point("start.before-cont")
    if not paused:
        link.do("cont")
    point("start.after-cont")
    link.status = status = replace(status, state=PAUSED if paused else RUNNING)
    store.save_status(status)
    return status


def _launch(
    live: Definition, folder: Path, memory: Path, log: Path
) -> tuple[Launch, tuple[str, str, str]]:
    if is_own(live):
        monitor = str(folder / MONITORS[0])
        Path(monitor).unlink(missing_ok=True)
        return Launch(own_command_line(live, monitor, str(memory)), (), {}, log), (
            monitor,
            monitor,
            monitor,
        )
    sockets: dict[str, socket.socket] = {}
    try:
        for name in MONITORS:
            sockets[name] = listen(str(folder / name))
        numbers = {name: 3 + n for n, name in enumerate(MONITORS)}
        words = command_line(live, numbers, str(folder), str(memory))
        launch = Launch(words, [each.fileno() for each in sockets.values()], environment(live), log)
    finally:
        for each in sockets.values():
            each.close()
    monitor, look, events = (str(folder / name) for name in MONITORS)
    return launch, (monitor, look, events)


def _greeted(status: Status, log: Path) -> Wire:
    """Return the machine's monitor, as soon as it greets.

    Raises:
        DomainError: it ended before; tells its last words.
    """
    deadline = time.monotonic() + GREETING_S
    while True:
        try:
            return greeted(status.monitor, max(0.1, deadline - time.monotonic()))
        except (HostError, PeerError) as error:
            if isinstance(error, GoneError) and ends_soon(status.process):
                raise _died(status, log) from error
            if not status.is_alive:
                raise _died(status, log) from error
            if isinstance(error, PeerError) or time.monotonic() >= deadline:
                raise
            time.sleep(_POLL_S)  # a machine of ours makes its socket itself


def _died(status: Status, log: Path) -> DomainError:
    dialect = status.definition.dialect
    text = text_of(dialect, "died")
    said = last_words(log) or "nothing"
    words = text.words.format(said=said, name=status.definition.name)
    return DomainError(text.code, words, domain=text.domain, speaker=Speaker.QEMU)


def _with_names(stored: Definition) -> Definition:
    """Return a definition whose memory devices have slots and names, one after the other."""
    found = stored
    for index, device in enumerate(stored.devices):
        found = with_devices(found, {index: assigned(found, device, live=True)}, live=True)
    return found


def _next_id(store: Store) -> int:
    numbers = [0]
    for name in store.names():
        try:
            running = store.running(name)
        except GuestmapError:
            continue
        if running is not None:
            numbers.append(running.id)
    return max(numbers) + 1
