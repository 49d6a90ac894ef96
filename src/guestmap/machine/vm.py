"""A running PC: the machine, an engine, and the story that the firmware tells.

A program either runs the machine itself (:meth:`VirtualMachine.run`), or has it run in a thread of
its own (:meth:`VirtualMachine.start`) and manages it from others. Whoever is not the CPU's thread
does everything that reads or changes devices inside :meth:`VirtualMachine.exclusive`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from guestmap.accel import Engine, Exit, ExitReason, SoftwareInterrupt, open_engine
from guestmap.base import Clock, StateError, VmClock
from guestmap.machine.config import MachineConfig
from guestmap.machine.debug_log import DebugLog
from guestmap.machine.gate import Gate
from guestmap.machine.pc import Pc
from guestmap.machine.phases import Phase, PhaseChange, PhaseTracker
from guestmap.machine.run_state import Event, LogLine, MachineReset, RunState

_HOST_RESET = "host-qmp-system-reset"
_GUEST_RESET = "guest-reset"
_POWER_BUTTON = 1 << 8  # of the PM1 status register


class VirtualMachine:
    """A PC on an engine. Use it as a context manager, or close it.

    Args:
        config: the PC; its debug console is what phases are told from.
        engine: an engine's name, see :mod:`guestmap.accel`.
        observer: hears each event, in the thread that runs the CPU.
        clock: the devices' time; where none is given, one that passes while the machine runs.

    Attributes:
        pc: the machine.
        engine: the CPU.
        state: what it is doing.
        phases: what the firmware is doing.
        events: what it tells whoever manages it.
        error: what the engine could not go on with, where ``state`` is ``INTERNAL_ERROR``.

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
        self.pc = Pc(config, VmClock() if clock is None else clock)
        try:
            self.engine: Engine = open_engine(
                engine, self.pc.cpu_memory, self.pc.io, self.pc.interrupts, self.pc.clock
            )
        except BaseException:
            self.pc.system.close()
            raise
        self.state = RunState.PRELAUNCH
        self.error = ""
        self._debug_log = DebugLog(self.pc.clock.now_ns, self._logged)
        self.phases = PhaseTracker(self.pc.clock.now_ns, self._phase_changed)
        self.events = self.pc.events
        self._observer = observer
        self._until: Phase | None = None
        self._reset_reason = self._reset_cause = ""
        self._gate = Gate()
        self._changed = threading.Condition()
        self._closing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._in_run = self._closed = False
        self._halted_for_good = False
        self._quit = False
        self._failure: BaseException | None = None
        self._wire()

    def _wire(self) -> None:
        pc, engine = self.pc, self.engine
        engine.turn = self._gate
        self._gate.ring = engine.attend
        pc.on_reset_request = self.request_reset
        pc.on_power_off = self._powered_off
        pc.on_suspend = self._suspended
        pc.on_a20 = engine.set_a20
        pc.on_debug_byte = self._debug_log.byte
        pc.interrupts.on_change = engine.kick
        if engine.capabilities.runs_code:
            pc.apics.current = 0
        pc.system.subscribe(self._observer)
        engine.observe_software_interrupts(self._software_interrupt)
        engine.observe_halts(self.phases.halted)

    def exclusive(self) -> AbstractContextManager[None]:
        """Return a context in which the caller alone is at the machine; it may be nested.

        The CPU waits outside the guest meanwhile. A view of the memory needs none of this: it is
        published, and may be read at any time. For more than one view, or the tree, there is
        :meth:`guestmap.memory.MemorySystem.steady`.
        """
        return self._gate.exclusive()

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
        with self._changed:
            if self._thread is not None:
                raise StateError("the machine runs in a thread of its own: use cont()")
            self._refuse_to_run()
            self._in_run = True
        try:
            self._until = until
            self._carry_out_reset()
            is_first = self.phases.phase is None
            self.cont()
            if is_first and self.phases.phase is until:
                self.stop()  # at the reset vector; cont() was not yet running as it got there
            while self.state is RunState.RUNNING:
                self._run_once()
                if self._halted_for_good:
                    self._end(RunState.PAUSED)
            return self.state
        finally:
            self._in_run, self._until = False, None

    def _refuse_to_run(self) -> None:
        if self._closed:
            raise StateError("the machine is closed")
        if self._in_run:
            raise StateError("the machine runs already")
        self._refuse_in_turn("run")

    def _refuse_in_turn(self, what: str) -> None:
        if self._gate.held:
            raise StateError(
                f"{what} cannot be called where the machine is the caller's alone (exclusive(), or"
                " the machine's own callbacks): it waits for the CPU"
            )

    def _run_once(self) -> None:
        self._carry_out_reset()
        if self._runnable:
            self._after(self.engine.run())

    def _carry_out_reset(self) -> None:
        with self.exclusive():
            if self._reset_reason and not self._quit:
                self._reset()

    def start(self, *, paused: bool = False) -> None:
        """Run the machine in a thread of its own, until :meth:`quit` or the guest's own end.

        Args:
            paused: wait for :meth:`cont` before the first instruction.

        Raises:
            StateError: it was started before, is closed, or must be reset first.
        """
        with self._changed:
            if self._thread is not None:
                raise StateError("the machine was started before")
            self._refuse_to_run()
            thread = threading.Thread(target=self._serve, name="guestmap-machine", daemon=True)
            thread.start()
            self._thread = thread
        if not paused:
            self.cont()

    @property
    def thread_id(self) -> int | None:
        """The host's number of the thread that runs a started machine; None before."""
        return self._thread.native_id if self._thread is not None else None

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until a started machine has ended; False where that takes longer.

        Raises:
            StateError: the caller has the machine to itself.
            Exception: whatever a device or an observer raised.
        """
        self._refuse_in_turn("wait()")
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                return False
        if self._failure is not None:
            raise self._failure
        return True

    def _serve(self) -> None:
        try:
            while self._has_work():
                self._run_once()
        except BaseException as error:  # noqa: BLE001 - wait() hands it on
            self._failure = error
            with self.exclusive():
                self._end(RunState.INTERNAL_ERROR)

    def _has_work(self) -> bool:
        """Wait until there is something to run or to reset; False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._quit or self._reset_reason or self._runnable)
        return not self._quit

    @property
    def _runnable(self) -> bool:
        return self.state is RunState.RUNNING and not self._halted_for_good

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    # -- what those who manage it ask for; from any thread ----------------------------------------

    def stop(self) -> None:
        """Pause the machine, if it runs: the CPU is outside the guest afterwards."""
        with self.exclusive():
            if self.state is RunState.RUNNING:
                self._end(RunState.PAUSED)

    def cont(self) -> None:
        """Run, from the start or on; a machine that sleeps in RAM sleeps on.

        Raises:
            StateError: it must be reset first, or was told to quit.
        """
        with self.exclusive():
            if self.state in {RunState.RUNNING, RunState.SUSPENDED}:
                return
            if self.state in {RunState.SHUTDOWN, RunState.INTERNAL_ERROR}:
                raise StateError("Resetting the Virtual Machine is required")
            if self._quit:
                raise StateError("the machine was told to quit")
            if self.phases.phase is None:
                self.phases.reset("power on")
            self.pc.clock.start()
            self.state = RunState.RUNNING
            self._halted_for_good = False
            self._wake()  # before anybody is told, and may raise
            self.events.emit("RESUME")

    def request_reset(self, reason: str, *, cause: str = _GUEST_RESET) -> None:
        """Reset the machine, soon. The first of several reasons is told.

        Args:
            reason: for people.
            cause: QMP's ``ShutdownCause``.
        """
        with self._changed:
            if not self._reset_reason:
                self._reset_reason, self._reset_cause = reason, cause
            self._changed.notify_all()
        if self._runnable:
            self.engine.request_reset()

    def system_reset(self) -> None:
        """Reset the machine for the host, soon (QMP ``system_reset``)."""
        self.request_reset("the host asks", cause=_HOST_RESET)

    def powerdown(self) -> None:
        """Press the power button: the guest may switch itself off (QMP ``system_powerdown``)."""
        with self.exclusive():
            self.events.emit("POWERDOWN")
            if self.pc.pm is not None:
                self.pc.pm.pm.raise_status(_POWER_BUTTON)

    def quit(self, reason: str = "host-qmp-quit", *, guest: bool = False) -> None:
        """End the machine, soon: nothing makes it run again.

        Args:
            reason: QMP's ``ShutdownCause``.
            guest: whether the guest itself wanted it.
        """
        with self.exclusive():
            if self._quit:
                return
            self._quit = True
            if self.state is RunState.RUNNING:
                self.state = RunState.SHUTDOWN
            self.pc.clock.stop()
            self.engine.stop()
            self._wake()
            self.events.emit("SHUTDOWN", {"guest": guest, "reason": reason})

    # -- how a run ends --------------------------------------------------------------------------

    def _end(self, state: RunState) -> None:
        ran, self.state = self.state is RunState.RUNNING, state
        if ran:
            self.pc.clock.stop()
            self.engine.stop()
            self.events.emit("STOP")

    def _powered_off(self) -> None:
        self.state = RunState.SHUTDOWN
        self.quit("guest-shutdown", guest=True)

    def _suspended(self) -> None:
        self.state = RunState.SUSPENDED
        self.engine.stop()
        self.events.emit("SUSPEND")

    def _after(self, end: Exit) -> None:
        with self.exclusive():
            if end.reason is ExitReason.SHUTDOWN and not self._reset_reason:
                # Code that asks for a reset often goes on to fault: that is the same reset.
                self._reset_reason, self._reset_cause = "triple fault", _GUEST_RESET
            if self._reset_reason and self.state is RunState.RUNNING:
                self._reset()
            elif end.reason is ExitReason.HALTED:
                self.phases.halted(for_good=True)
                self._halted_for_good = True
            elif end.reason is ExitReason.ERROR:
                self.error = end.message
                self._end(RunState.INTERNAL_ERROR)

    def _reset(self) -> None:
        with self._changed:
            reason, cause = self._reset_reason, self._reset_cause
            self._reset_reason = self._reset_cause = ""
        before = self.state
        self._observer(MachineReset(self.pc.clock.now_ns(), reason))
        if self.state is not before:
            return  # the observer has seen enough
        self.pc.system_reset()
        self.engine.reset()
        self._halted_for_good = False
        if self.state is not RunState.RUNNING:
            self.state = RunState.PRELAUNCH
        self.phases.reset(reason)
        self.events.emit("RESET", {"guest": cause == _GUEST_RESET, "reason": cause})

    # -- what the firmware shows -----------------------------------------------------------------

    @property
    def log(self) -> list[LogLine]:
        """The newest lines of the debug console, oldest first."""
        return self._debug_log.lines

    def _logged(self, line: LogLine) -> None:
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
        """End the machine; let go of the engine and of the host's memory. May be called again.

        Raises:
            StateError: :meth:`run` has not returned, or the caller has the machine to itself.
        """
        self._refuse_in_turn("close()")
        with self._changed:
            if self._in_run:
                raise StateError("the machine runs: stop() it first")
            self._closed = True
        with self._closing:
            if self._thread is not None and self._thread.is_alive():
                self.quit("host-ui")
                self._thread.join()
            with self.exclusive():
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
