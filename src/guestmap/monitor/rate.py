"""Events that may come too often: QEMU's limits (monitor/monitor.c, ``monitor_qapi_event_conf``).

The first event of a kind goes at once. Until its interval is over the newest of those that follow
is kept, and goes at the interval's end, which starts another one. No clock in here: whoever calls
says what time it is.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from guestmap.machine.trace import TRACED

PREALLOC_PROGRESS = "X_GUESTMAP_PREALLOC_PROGRESS"


class Event(Protocol):
    """What a machine tells: QMP's name and data, and when, in nanoseconds since 1970."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def data(self) -> Mapping[str, Any] | None: ...  # noqa: D102

    @property
    def time_ns(self) -> int: ...  # noqa: D102


class Limit(NamedTuple):
    """How often.

    Attributes:
        interval_s: seconds between two of a kind.
        by: the member of the data whose values are kinds of their own; "" where all are one.
    """

    interval_s: float
    by: str = ""


LIMITS: Mapping[str, Limit] = MappingProxyType(
    {
        "RTC_CHANGE": Limit(1.0),
        "WATCHDOG": Limit(1.0),
        "BALLOON_CHANGE": Limit(1.0),
        "QUORUM_REPORT_BAD": Limit(1.0, "node-name"),
        "QUORUM_FAILURE": Limit(1.0),
        "VSERPORT_CHANGE": Limit(1.0, "id"),
        "MEMORY_DEVICE_SIZE_CHANGE": Limit(1.0, "qom-path"),
        PREALLOC_PROGRESS: Limit(0.2, "id"),
        TRACED: Limit(0.1),
    }
)
"""QEMU 7.2's table, and our own events of which there could be thousands."""


class _Window:
    def __init__(self, until: float, interval_s: float) -> None:
        self.until = until
        self.interval_s = interval_s
        self.kept: Event | None = None


class RateLimiter:
    """Holds events to the limits. Times are seconds of one clock that goes forward."""

    def __init__(self, limits: Mapping[str, Limit] = LIMITS) -> None:
        self._limits = limits
        self._windows: dict[Hashable, _Window] = {}

    def offer(self, event: Event, now: float) -> bool:
        """Tell whether the event may go now; if not it is kept, in the place of an older one."""
        limit = self._limits.get(event.name)
        if limit is None:
            return True
        kind = (event.name, str((event.data or {}).get(limit.by)) if limit.by else "")
        window = self._windows.get(kind)
        if window is None:
            self._windows[kind] = _Window(now + limit.interval_s, limit.interval_s)
            return True
        window.kept = event
        return False

    def due(self, now: float) -> list[Event]:
        """Return the kept events whose interval is over, the longest waiting first."""
        over = [(kind, window) for kind, window in self._windows.items() if window.until <= now]
        events = []
        for kind, window in sorted(over, key=lambda each: each[1].until):
            if window.kept is None:
                del self._windows[kind]
                continue
            events.append(window.kept)
            window.kept, window.until = None, now + window.interval_s
        return events

    def deadline(self) -> float | None:
        """Return when :meth:`due` has something to do next; None: never, as it stands."""
        return min((window.until for window in self._windows.values()), default=None)
