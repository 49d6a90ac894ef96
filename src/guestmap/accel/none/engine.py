"""No CPU at all: ``run`` keeps the machine's timers going until somebody stops it.

For programs that play the CPU themselves (``machine.memory.store(...)``,
``machine.io.load(...)``), as QEMU's ``-accel qtest`` does, and for looking at a machine at reset.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from guestmap.accel.api import Engine, InterruptSource
from guestmap.accel.doorbell import Doorbell
from guestmap.accel.types import (
    Capabilities,
    EngineStatistics,
    Exit,
    ExitReason,
    Register,
    Segment,
    SegmentRegister,
)
from guestmap.base import StateError, UnsupportedError

if TYPE_CHECKING:
    from guestmap.base import Clock
    from guestmap.memory import AddressSpace

_NO_CPU = "engine 'none' has no CPU and so no registers: choose engine 'unicorn' for one"


class NoCpuEngine(Engine):
    """An engine that executes nothing."""

    name = "none"

    def __init__(
        self, memory: AddressSpace, io: AddressSpace, interrupts: InterruptSource, clock: Clock
    ) -> None:
        super().__init__(memory, io, interrupts, clock)
        self._doorbell = Doorbell(clock, leave=lambda: None)
        self._running = threading.Lock()
        self._stop_wanted = False
        self._reset_wanted = False

    @property
    def capabilities(self) -> Capabilities:
        """Nothing."""
        return Capabilities(
            runs_code=False,
            exact_interrupts=False,
            exceptions=False,
            reset_vector=False,
            a20=False,
        )

    def run(self) -> Exit:
        """Fire timers until :meth:`stop` or :meth:`request_reset`."""
        if not self._running.acquire(blocking=False):
            raise StateError("engine 'none' runs already: stop it first")
        self._doorbell.open()
        try:
            with self.turn:
                return self._loop()
        finally:
            self._doorbell.shut()
            self._running.release()

    def _loop(self) -> Exit:
        while True:
            self._doorbell.answer()
            self.turn.give_way()
            self.clock.run_due()
            if self._reset_wanted:
                self._reset_wanted = False
                return Exit(ExitReason.RESET)
            if self._stop_wanted:
                self._stop_wanted = False
                return Exit(ExitReason.STOPPED)
            with self.turn.away():
                self._doorbell.sleep()

    def stop(self) -> None:
        """End the run."""
        self._stop_wanted = True
        self._doorbell.ring()

    def request_reset(self) -> None:
        """End the run with RESET."""
        self._reset_wanted = True
        self._doorbell.ring()

    def reset(self) -> None:
        """Do nothing: there is no state."""

    def kick(self) -> None:
        """Do nothing: nobody takes interrupts."""

    def attend(self) -> None:
        """Give way, soon."""
        self._doorbell.ring()

    def set_a20(self, enabled: bool) -> None:
        """Do nothing: the address spaces are behind the gate."""

    def read_register(self, register: Register) -> int:
        """Refuse."""
        del register
        raise UnsupportedError(_NO_CPU)

    def write_register(self, register: Register, value: int) -> None:
        """Refuse."""
        del register, value
        raise UnsupportedError(_NO_CPU)

    def read_segment(self, register: SegmentRegister) -> Segment:
        """Refuse."""
        del register
        raise UnsupportedError(_NO_CPU)

    def write_segment(self, register: SegmentRegister, segment: Segment) -> None:
        """Refuse."""
        del register, segment
        raise UnsupportedError(_NO_CPU)

    def statistics(self) -> EngineStatistics:
        """Return zeros."""
        return EngineStatistics()
