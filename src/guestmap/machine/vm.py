"""A running PC: the machine, an engine, and the story that the firmware tells."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from types import TracebackType
from typing import NamedTuple, Self

from guestmap.accel import Engine, Exit, ExitReason, SoftwareInterrupt, open_engine
from guestmap.base import Clock
from guestmap.machine.config import MachineConfig
from guestmap.machine.pc import Pc
from guestmap.machine.phases import Phase, PhaseChange, PhaseTracker
from guestmap.memory import CommitRecord


class RunState(StrEnum):
    """What a machine is doing; QEMU's words (QMP ``RunState``)."""

    PRELAUNCH = "prelaunch"
    RUNNING = "running"
    PAUSED = "paused"
    SHUTDOWN = "shutdown"
    SUSPENDED = "suspended"
    INTERNAL_ERROR = "internal-error"


class LogLine(NamedTuple):
    """A line that the firmware wrote to its debug console."""

    time_ns: int
    text: str


class MachineReset(NamedTuple):
    """The machine was reset."""

    time_ns: int
    reason: str


Event = LogLine | PhaseChange | CommitRecord | MachineReset | SoftwareInterrupt
"""What an observer of a running machine hears of, in the order in which it happens."""


class VirtualMachine:
    """A PC on an engine. Use it as a context manager, or close it.

    Args:
        config: the PC; its debug console is what phases are told from.
        engine: an engine's name, see :mod:`guestmap.accel`.
        observer: hears each event, in the thread that runs the CPU.
        clock: the devices' time; the host's where none is given.

    Attributes:
        pc: the machine.
        engine: the CPU.
        state: what it is doing.
        phases: what the firmware is doing.
        log: lines of the debug console.

    Raises:
        ConfigError, HostError, UnsupportedError: the machine or the engine cannot be made.
    """

    def __init__(
        self,
        config: MachineConfig,
        *,
        engine: str = "unicorn",
        observer: Callable[[Event], None] = lambda _event: None,
        clock: Clock | None = None,
    ) -> None:
        self.pc = Pc(config, clock)
        self.engine: Engine = open_engine(
            engine, self.pc.cpu_memory, self.pc.io, self.pc.interrupts, self.pc.clock
        )
        self.state = RunState.PRELAUNCH
        self.log: list[LogLine] = []
        self.phases = PhaseTracker(self.pc.clock.now_ns, self._phase_changed)
        self._observer = observer
        self._until: Phase | None = None
        self._line = bytearray()
        self._reset_reason = ""
        self._wire()

    def _wire(self) -> None:
        pc, engine = self.pc, self.engine
        pc.on_reset_request = self.request_reset
        pc.on_power_off = lambda: self._end(RunState.SHUTDOWN)
        pc.on_suspend = lambda: self._end(RunState.SUSPENDED)
        pc.on_a20 = engine.set_a20
        pc.on_debug_byte = self._debug_byte
        pc.interrupts.on_change = engine.kick
        if engine.capabilities.runs_code:
            pc.apics.current = 0
        pc.system.subscribe(self._observer)
        engine.observe_software_interrupts(self._software_interrupt)
        engine.observe_halts(self.phases.halted)

    # -- running ---------------------------------------------------------------------------------

    def run(self, *, until: Phase | None = None) -> RunState:
        """Run until the firmware reaches a phase, the machine ends, or :meth:`stop`.

        A reset is carried out and the machine runs on.

        Args:
            until: the phase to stop at as it begins; None never stops for one.

        Raises:
            StateError: it runs already.
            Exception: whatever a device or an observer raised.
        """
        self._until = until
        if self.state is RunState.PRELAUNCH:
            self.phases.reset("power on")
        self.state = RunState.RUNNING
        while self.state is RunState.RUNNING:
            self._after(self.engine.run())
        return self.state

    def stop(self) -> None:
        """Pause the machine, soon; from any thread."""
        self._end(RunState.PAUSED)

    def request_reset(self, reason: str) -> None:
        """Reset the machine, soon; from any thread. The first of several reasons is told."""
        self._reset_reason = self._reset_reason or reason
        self.engine.request_reset()

    def _end(self, state: RunState) -> None:
        self.state = state
        self.engine.stop()

    def _after(self, end: Exit) -> None:
        if end.reason is ExitReason.RESET:
            self._reset(self._reset_reason)
        elif end.reason is ExitReason.SHUTDOWN:
            # Code that asks for a reset often goes on to fault: that is the same reset.
            self._reset(self._reset_reason or "triple fault")
        elif end.reason is ExitReason.HALTED:
            self.phases.halted(for_good=True)
            self.state = RunState.PAUSED
        elif end.reason is ExitReason.ERROR:
            self.state = RunState.INTERNAL_ERROR
        elif self.state is RunState.RUNNING:
            self.state = RunState.PAUSED

    def _reset(self, reason: str) -> None:
        self._reset_reason = ""
        self._observer(MachineReset(self.pc.clock.now_ns(), reason))
        if self.state is not RunState.RUNNING:
            return  # the observer has seen enough
        self.pc.system_reset()
        self.engine.reset()
        self.phases.reset(reason)

    # -- what the firmware shows -----------------------------------------------------------------

    def _debug_byte(self, byte: int) -> None:
        if byte != 0x0A:
            self._line.append(byte)
            return
        line = LogLine(self.pc.clock.now_ns(), self._line.decode("latin-1").rstrip("\r"))
        self._line.clear()
        self.log.append(line)
        self._observer(line)
        self.phases.line(line.text)

    def _software_interrupt(self, interrupt: SoftwareInterrupt) -> None:
        self._observer(interrupt)
        self.phases.interrupt(interrupt.vector)

    def _phase_changed(self, change: PhaseChange) -> None:
        self._observer(change)
        if change.phase is self._until:
            self.stop()

    # -- the end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the engine and of the host's memory."""
        self.engine.close()
        if not self.pc.system.closed:
            self.pc.system.unsubscribe(self._observer)
            self.pc.system.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
