"""Listening to domains: what commands did, what guests do, and the end of what a guest was asked.

Whoever listens hears the machines at their monitor for events (one listener for each machine, and
others hear what it tells the log), and finishes what a guest lets go of late.
"""

from __future__ import annotations

import fcntl
import os
import select
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from guestmap.base import GuestmapError, HostError, PeerError
from guestmap.domain.change.removal import Fate, device_of, judged
from guestmap.domain.events.log import DomainEvent, Tail
from guestmap.domain.process.launch import ends_soon
from guestmap.domain.process.wire import Wire
from guestmap.domain.waiting import Answered, heard
from guestmap.qmp.client import GoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from guestmap.domain.manager import Manager
    from guestmap.qmp.client import MonitorEvent

_STEP_S = 0.1
_LOOK_AGAIN = 20
"""Steps between two looks for machines that somebody else started."""
_GREETING_S = 5.0
_LIFECYCLE = {"RESET": "reset", "SHUTDOWN": "shutdown", "STOP": "paused", "RESUME": "resumed"}


class _Ear:
    """The monitor for events of one machine, held alone."""

    def __init__(self, name: str, path: str, lock: int) -> None:
        self.name = name
        self._lock = lock
        self.wire = Wire(path, greeting_s=_GREETING_S)

    def close(self) -> None:
        self.wire.close()
        os.close(self._lock)


class DomainListener:
    """Hears of domains; a context manager.

    Args:
        manager: whose domains.
        name: of one alone; None: of all.
    """

    def __init__(self, manager: Manager, name: str | None = None) -> None:
        self._manager = manager
        self._name = name
        self._tail = Tail(manager.log)
        self._ears: dict[str, _Ear] = {}
        self._steps = 0
        self._look()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all machines."""
        for each in self._ears.values():
            each.close()
        self._ears.clear()

    def run(
        self, callback: Callable[[DomainEvent], object], *, seconds: float | None = None
    ) -> None:
        """Call back for each event, until the callback returns True, or the time is over.

        Args:
            callback: is told; what it raises ends the loop.
            seconds: None: there is no end.
        """
        time = self._manager.pace
        deadline = None if seconds is None else time.now() + seconds
        while deadline is None or time.now() < deadline:
            for event in self.step(_STEP_S):
                if callback(event):
                    return

    def step(self, seconds: float) -> Iterator[DomainEvent]:
        """Hear what machines say within some seconds, and yield what is news."""
        looking = select.poll()
        numbers = {each.wire.fileno(): each for each in self._ears.values()}
        for number in numbers:
            looking.register(number, select.POLLIN)
        for number, _ in looking.poll(seconds * 1000):
            self._hear(numbers[number])
        self._steps += 1
        news = [each for each in self._tail.news() if self._name in {None, each.domain}]
        if self._steps % _LOOK_AGAIN == 0 or any(each.event == "lifecycle" for each in news):
            self._look()
        yield from news

    def _look(self) -> None:
        """Listen to machines that run and that nobody listens to; tell of those that ended."""
        store = self._manager.store
        for name in store.names() if self._name is None else (self._name,):
            if name in self._ears:
                continue
            with suppress(GuestmapError, OSError):
                status = store.status(name)
                if status is None:
                    continue
                if not status.is_alive:
                    self._finish(name)
                    continue
                lock = os.open(
                    store.run / f"{name}.events", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
                )
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._ears[name] = _Ear(name, status.events, lock)
                except BaseException:
                    os.close(lock)
                    raise
                if status.pending:
                    self._finish(name)

    def _hear(self, ear: _Ear) -> None:
        try:
            events = ear.wire.wait(0.0)
        except PeerError as error:
            self._ears.pop(ear.name).close()
            if isinstance(error, GoneError):
                self._left(ear.name)
            return
        for event in events:
            self._said(ear.name, event)

    def _said(self, name: str, event: MonitorEvent) -> None:
        """Tell what a machine said; finish what it ends."""
        log = self._manager.log
        if event.name in _LIFECYCLE:
            facts = {"reason": event.data["reason"]} if "reason" in event.data else {}
            log.tell("lifecycle", name, _LIFECYCLE[event.name], by="the machine", **facts)
            return
        if event.name == "MEMORY_DEVICE_SIZE_CHANGE":
            size = event.data.get("size")
            log.tell("memory-device-size-change", name, str(event.data.get("id")), size=size)
            self._finish(name, refresh=True)
            return
        said = heard(event)
        if isinstance(said, Answered):
            log.tell("guest-acknowledged", name, device_of(event), said=str(said.answer))
        self._decide(name, event)

    def _decide(self, name: str, event: MonitorEvent) -> None:
        """Finish the removal of a device that is asked for and that nobody waits for any more."""
        with suppress(GuestmapError):
            status = self._manager.store.running(name)
            for each in () if status is None else status.pending:
                verdict = judged(event, each.alias)
                if verdict is None:
                    continue
                if verdict.fate is Fate.REFUSED:
                    self._manager.log.tell(
                        "device-removal-failed", name, each.alias, reason=verdict.why
                    )
                self._finish(name)

    def _left(self, name: str) -> None:
        """Finish what a machine has left that closed its monitor: its process ends after it."""
        with suppress(GuestmapError):
            status = self._manager.store.running(name)
            if status is not None:
                ends_soon(status.process)
        self._finish(name)

    def _finish(self, name: str, *, refresh: bool = False) -> None:
        with suppress(GuestmapError, HostError):
            self._manager.changes.reconnect(name, refresh=refresh)
