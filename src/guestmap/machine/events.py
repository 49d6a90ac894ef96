"""What a machine tells those who manage it: the events of QMP, as values."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from guestmap.base.named_tuple import NamedTuple


class MachineEvent(NamedTuple):
    """Something that happened to the machine.

    Attributes:
        name: as QMP calls it (QEMU QMP Reference Manual): RESET, DEVICE_DELETED, ...
        data: its members, as QMP has them; None for an event without any.
        time_ns: when, since 1970.
    """

    name: str
    data: Mapping[str, Any] | None
    time_ns: int


class MachineEvents:
    """Hands each event to every subscriber, in the thread in which it happens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: tuple[Callable[[MachineEvent], None], ...] = ()

    def subscribe(self, subscriber: Callable[[MachineEvent], None]) -> None:
        """Call ``subscriber`` with every event from now on; it must be quick and must not raise."""
        with self._lock:
            self._subscribers = (*self._subscribers, subscriber)

    def unsubscribe(self, subscriber: Callable[[MachineEvent], None]) -> None:
        """Tell ``subscriber`` nothing more."""
        with self._lock:
            self._subscribers = tuple(s for s in self._subscribers if s != subscriber)

    def emit(self, name: str, data: Mapping[str, Any] | None = None) -> None:
        """Tell everybody."""
        event = MachineEvent(name, data, time.time_ns())
        for subscriber in self._subscribers:
            subscriber(event)
