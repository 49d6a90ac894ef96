"""The guest's accesses in ranges, as they happen: told, kept, and perhaps a reason to stop."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Self

from guestmap.accel.debug import GuestAccess, WatchKind, Watchpoint
from guestmap.base import ConfigError
from guestmap.base.addresses import parse_address_range
from guestmap.machine.observed import TracedAccess

if TYPE_CHECKING:
    from guestmap.machine.vm import VirtualMachine

KEPT = 4096
"""Accesses that are kept: the newest."""
TRACED, TRACE_STOPPED = "X_GUESTMAP_TRACE", "X_GUESTMAP_TRACE_STOPPED"
WORDS = {WatchKind.READ: "read", WatchKind.WRITE: "write", WatchKind.EXECUTE: "execute"}
_ALL = frozenset(WatchKind)
_KINDS = re.compile("[rwx]+")


class TraceRange(NamedTuple):
    """What is traced.

    Attributes:
        first, last: addresses: physical; of instructions, linear.
        kinds: what is done there.
    """

    first: int
    last: int
    kinds: frozenset[WatchKind] = _ALL

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``RANGE[,r|w|x]``: ``c9000-c9fff,w``, ``0xfed00000,rw``; without letters all three.

        Raises:
            ConfigError: it is not that.
        """
        addresses, comma, letters = text.partition(",")
        if comma and not _KINDS.fullmatch(letters):
            raise ConfigError(
                f"{text!r}: {letters!r} is none of r (read), w (write), x (execute), or several"
            )
        kinds = frozenset(map(WatchKind, letters)) or _ALL
        return cls(*parse_address_range(addresses), kinds)


class Trace:
    """The trace of one machine; its observer hears of each access, QMP's clients of the newest.

    Args:
        vm: the machine.

    Attributes:
        stopped: the access that the machine has stopped at last; None before.
        total: how many accesses there were.
    """

    def __init__(self, vm: VirtualMachine) -> None:
        self._vm = vm
        self._ranges: list[tuple[TraceRange, bool]] = []
        self._kept: deque[TracedAccess] = deque(maxlen=KEPT)
        self.stopped: TracedAccess | None = None
        self.total = 0

    def add(self, traced: TraceRange, *, stops: bool = False) -> None:
        """Trace a range too, from now on.

        Args:
            traced: the range.
            stops: the machine stops there.

        Raises:
            UnsupportedError: the engine does not tell what its guest does.
        """
        self._set([*self._ranges, (traced, stops)])

    def clear(self) -> None:
        """Trace nothing any more; what is kept stays."""
        self._set([])

    def _set(self, ranges: list[tuple[TraceRange, bool]]) -> None:
        points = [self._point(each, stops=stops) for each, stops in ranges]
        self._vm.watching.set(self, points)
        self._ranges = ranges

    def _point(self, traced: TraceRange, *, stops: bool) -> Watchpoint:
        def hear(access: GuestAccess) -> bool:
            self._heard(TracedAccess(self._vm.board.clock.now_ns(), access, stops))
            return stops

        return Watchpoint(*traced, hear, stops)

    def _heard(self, traced: TracedAccess) -> None:
        self.total += 1
        self._kept.append(traced)
        self._vm.tell(traced)
        data = traced_to_json(traced) | {"total": self.total}
        self._vm.events.emit(TRACED, data)
        if traced.stops:
            self.stopped = traced
            self._vm.events.emit(TRACE_STOPPED, data)

    def since(self, number: int) -> list[TracedAccess]:
        """Return what is kept of the accesses after the first ``number``, oldest first."""
        kept = self._kept.copy()
        return list(kept)[max(len(kept) - max(self.total - number, 0), 0) :]


def access_to_json(access: GuestAccess) -> dict[str, int | str | None]:
    """Return an access as JSON-able values."""
    return {
        "kind": WORDS[access.kind],
        "address": access.address,
        "size": access.size,
        "value": access.value,
        "region": access.region or None,
        "offset": access.offset,
        "cs": access.cs,
        "ip": access.ip,
        "exact": access.exact,
    }


def traced_to_json(traced: TracedAccess) -> dict[str, int | str | None]:
    """Return a traced access as QMP has it."""
    return {"time-ns": traced.time_ns, **access_to_json(traced.access)}
