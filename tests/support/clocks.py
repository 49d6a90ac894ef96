"""Clocks as a busy host has them."""

from __future__ import annotations

from guestmap.base import Clock


class BusyClock(Clock):
    """Each look at it takes ``look_ns``, so that no two looks see the same time."""

    def __init__(self, look_ns: int) -> None:
        super().__init__()
        self._look_ns = look_ns
        self.time_ns = 0

    def now_ns(self) -> int:
        self.time_ns += self._look_ns
        return self.time_ns

    def pass_time(self, nanoseconds: int) -> int:
        """Let time pass, then fire what is due; return how many timers that were."""
        self.time_ns += nanoseconds
        return self.run_due()
