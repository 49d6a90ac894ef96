"""The time of a machine that can be paused: it stands while the machine does."""

from __future__ import annotations

import time
from collections.abc import Callable

from guestmap.base.clock import Clock, HostClock
from guestmap.base.errors import StateError


class VmClock(HostClock):
    """Time that passes while the machine runs: QEMU's ``QEMU_CLOCK_VIRTUAL``.

    It stands at 0 until :meth:`start`. Its timers keep their distance over a pause, and none fires
    in one. Timers of :attr:`host` are run, and told of, together with its own; those that come due
    in a pause fire when somebody runs the machine again.

    Args:
        read_ns: the host's monotonic time, in ns.
    """

    def __init__(self, read_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self._zero_ns: int | None = None  # the host's time at which this one was 0; None: it stands
        self._passed_ns = 0
        self._host = HostClock(read_ns)
        self._host.on_schedule = self._host_scheduled
        super().__init__(read_ns)

    @property
    def host(self) -> Clock:
        """The time that goes on in a pause, since the clock was made."""
        return self._host

    @property
    def running(self) -> bool:
        """Whether time passes."""
        return self._zero_ns is not None

    def now_ns(self) -> int:
        """Return for how many nanoseconds the clock has been running."""
        zero_ns = self._zero_ns
        return self._passed_ns if zero_ns is None else self._read_ns() - zero_ns

    def start(self) -> None:
        """Let time pass, from where it stands."""
        if self._zero_ns is None:
            self._zero_ns = self._read_ns() - self._passed_ns
            self._tell_earliest()

    def stop(self) -> None:
        """Let time stand."""
        self._passed_ns = self.now_ns()
        self._zero_ns = None

    def restore(self, now_ns: int) -> None:
        """Stand at a time that was saved; the host's goes on."""
        if self.running:
            raise StateError("the time of a machine that runs cannot be set: stop it first")
        self._passed_ns = now_ns

    def next_deadline_ns(self) -> int | None:
        """Return when the earliest timer is due, of the host's time too; in this clock's time."""
        own, of_host = super().next_deadline_ns(), self._host.next_deadline_ns()
        deadlines = [own] if own is not None else []
        if of_host is not None:
            deadlines.append(self._from_host(of_host))
        return min(deadlines, default=None)

    def run_due(self) -> int:
        """Call every timer that is due, of the host's time too; return how many there were."""
        fired = self._host.run_due()
        return fired + super().run_due() if self.running else fired

    def _from_host(self, deadline_ns: int) -> int:
        return self.now_ns() + deadline_ns - self._host.now_ns()

    def _host_scheduled(self, deadline_ns: int) -> None:
        self._on_schedule(self._from_host(deadline_ns))

    def _tell_earliest(self) -> None:
        """Wake whoever waits without a limit, as nothing comes due while time stands."""
        if (deadline := self.next_deadline_ns()) is not None:
            self._on_schedule(deadline)
