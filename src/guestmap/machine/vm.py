"""A running PC: the machine, an accelerator, and the story that the firmware tells.

A program either runs the machine itself (:meth:`VirtualMachine.run`), or has it run in a thread of
its own (:meth:`VirtualMachine.start`) and manages it from others. Whoever is not the CPU's thread
does everything that reads or changes devices inside :meth:`VirtualMachine.exclusive`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from guestmap.accel import Accelerator, RunLoop, SoftwareInterrupt, Vcpu, Watchdog, open_accelerator
from guestmap.accel.factory import has_smm
from guestmap.accel.several import SeveralLoops
from guestmap.base import Clock, StateError, UnsupportedError, VmClock
from guestmap.machine.boards import make_board
from guestmap.machine.config import MachineConfig
from guestmap.machine.debug_log import DebugLog
from guestmap.machine.lifecycle import Lifecycle
from guestmap.machine.observed import Event, LogLine, TracedAccess
from guestmap.machine.phases import Phase
from guestmap.machine.run_state import RunEvent, RunState
from guestmap.machine.runner import Runner
from guestmap.machine.watching import Watching

if TYPE_CHECKING:
    from guestmap.machine.board import Board
    from guestmap.machine.saved.snapshots import Snapshots
    from guestmap.machine.trace import Trace


class VirtualMachine(Lifecycle):
    """A PC on an accelerator. Use it as a context manager, or close it.

    Args:
        config: the PC; its debug console is what phases are told from.
        engine: an accelerator's name, see :mod:`guestmap.accel`.
        observer: hears each event, in the thread that runs the CPU.
        clock: the devices' time; where none is given, one that passes while the machine runs.

    Raises:
        ConfigError, HostError, UnsupportedError: the machine or the accelerator cannot be made.

    Attributes:
        accelerator: what executes the guest.
        debug_log: what the firmware says.
        snapshots: where saved machines go by name; None for nowhere.
        watching: what is watched of its CPU.
    """

    def __init__(
        self,
        config: MachineConfig,
        *,
        engine: str = "unicorn",
        observer: Callable[[Event], None] = lambda _event: None,
        clock: Clock | None = None,
    ) -> None:
        if config.smm is None:
            config = replace(config, smm=has_smm(engine))
        board = make_board(config, VmClock() if clock is None else clock)
        if not board.cpus:
            engine = "none"
        try:
            accelerator = open_accelerator(
                engine, board.cpu_memory, board.io, board.pins,
                processors=board.processors, few_will_do=True,
            )  # fmt: skip
            _check_smm(board, accelerator)
        except BaseException:
            board.close()
            raise
        super().__init__(board, _loop_of(accelerator, board), observer)
        self.accelerator: Accelerator = accelerator
        self.snapshots: Snapshots | None = None
        self.watching = Watching(self.vcpus, self.exclusive)
        self._trace: Trace | None = None
        self._runner = Runner()
        self._closing = threading.Lock()
        self.debug_log = DebugLog(board.clock.now_ns, self._logged)
        self._wire()

    def _wire(self) -> None:
        board, loop, vcpu = self.board, self.loop, self.vcpu
        if self.accelerator.in_vain is not None:
            self.accelerator.in_vain.now_ns = board.clock.now_ns
        board.on_a20 = vcpu.set_a20
        board.on_debug_byte = self.debug_log.byte
        if board.debug_port is not None:
            vcpu.collect_lines(board.debug_port, self._debug_text)
        self._wire_cpus()
        if self.accelerator.capabilities.runs_code:
            board.executes(0)
        board.system.subscribe(self._observer)
        vcpu.observe_software_interrupts(self._software_interrupt)
        loop.observe_halts(self.phases.halted)
        if self.accelerator.may_stand_still:
            for each in loop.loops:
                Watchdog(each, self._observer)

    def _wire_cpus(self) -> None:
        board, loops = self.board, self.loop.loops
        for loop, pin in zip(loops, board.pins, strict=False):
            pin.on_change = loop.interrupts_changed
            loop.vcpu.smm_memory = board.smm_memory
        if board.smm_memory is not None:
            board.on_smi = lambda cpu: _told(loops, cpu, lambda loop: loop.vcpu.raise_smi())
        board.on_init = lambda cpu: _told(loops, cpu, RunLoop.init)
        board.on_startup = lambda cpu, vector: _told(loops, cpu, lambda loop: loop.startup(vector))

    @property
    def vcpu(self) -> Vcpu:
        """The first CPU."""
        return self.loop.vcpu

    @property
    def vcpus(self) -> tuple[Vcpu, ...]:
        """The CPUs that run; others that the machine has wait as after a reset."""
        return tuple(each.vcpu for each in self.loop.loops)

    # -- running ---------------------------------------------------------------------------------

    def run(self, *, until: Phase | frozenset[Phase] | None = None) -> RunState:
        """Run until the firmware reaches a phase, the machine ends, or :meth:`stop`.

        A reset is carried out and the machine runs on.

        Args:
            until: the phase, or phases, to stop at as one begins; None never stops for any.

        Raises:
            StateError: it runs already.
            Exception: whatever a device or an observer raised.
        """
        self._refuse_in_turn("run")
        with self._runner.lent():
            try:
                self._until = frozenset((until,)) if isinstance(until, Phase) else until
                self._carry_out_reset()
                is_first = self.phases.phase is None
                self.cont()
                if is_first and self._is_last(self.phases.phase):
                    self.stop()  # at the reset vector; cont() was not yet running as it got there
                while self.state is RunState.RUNNING:
                    self._run_once()
                    if self._halted_for_good:
                        self.stop()
                return self.state
            finally:
                self._until = None
                self.stop()  # interrupted: nobody runs it any more

    def _refuse_in_turn(self, what: str) -> None:
        if self._gate.held:
            raise StateError(
                f"{what} cannot be called where the machine is the caller's alone (exclusive(), or"
                " the machine's own callbacks): it waits for the CPU"
            )

    def start(self, *, paused: bool = False) -> None:
        """Run the machine in a thread of its own, until :meth:`quit` or the guest's own end.

        Args:
            paused: wait for :meth:`cont` before the first instruction.

        Raises:
            StateError: it was started before, is closed, or must be reset first.
        """
        self._refuse_in_turn("start")
        self._runner.start(self._serve)
        if not paused:
            self.cont()

    @property
    def thread_id(self) -> int | None:
        """The host's number of the thread that runs a started machine; None before."""
        return self._runner.thread_id

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until a started machine has ended; False where that takes longer.

        Raises:
            StateError: the caller has the machine to itself.
            Exception: whatever a device or an observer raised.
        """
        self._refuse_in_turn("wait()")
        return self._runner.wait(timeout_s)

    def _serve(self) -> None:
        try:
            while self._has_work():
                self._run_once()
        except BaseException:
            with self.exclusive():
                self._end(RunEvent.ERROR)
            raise

    # -- what the firmware shows -----------------------------------------------------------------

    @property
    def log(self) -> list[LogLine]:
        """The newest lines of the debug console, oldest first."""
        return self.debug_log.lines

    def _logged(self, line: LogLine) -> None:
        self._observer(line)
        self.phases.line(line.text)

    def _debug_text(self, text: bytes) -> None:
        for byte in text:
            self.board.on_debug_byte(byte)

    def _software_interrupt(self, interrupt: SoftwareInterrupt) -> None:
        self._observer(interrupt)
        self.phases.interrupt(interrupt.vector)

    @property
    def trace(self) -> Trace:
        """The trace of its CPU's accesses."""
        if self._trace is None:
            from guestmap.machine.trace import Trace

            self._trace = Trace(self)
        return self._trace

    def tell(self, event: TracedAccess) -> None:
        """Tell the observer of what is traced, in the thread that runs the CPU."""
        self._observer(event)

    # -- the end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """End the machine; let go of the accelerator and of the host's memory. May be called again.

        Raises:
            StateError: :meth:`run` has not returned, or the caller has the machine to itself.
        """
        self._refuse_in_turn("close()")
        with self._closing:
            self._runner.close(lambda: self.quit("host-ui"))
            with self.exclusive():
                self.accelerator.close()
                if not self.board.system.closed:
                    self.board.system.unsubscribe(self._observer)
                    self.board.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _check_smm(board: Board, accelerator: Accelerator) -> None:
    """Refuse a system management mode that no CPU enters: firmware would wait for it for ever."""
    can = accelerator.capabilities
    if board.smm_memory is not None and can.runs_code and not can.smm:
        accelerator.close()
        raise UnsupportedError(
            f"engine {accelerator.name!r} has no system management mode, and the machine has it:"
            " make one with -M pc,smm=off"
        )


def _loop_of(accelerator: Accelerator, board: Board) -> RunLoop:
    vcpus = accelerator.vcpus
    if len(vcpus) == 1:
        return RunLoop(vcpus[0], board.clock)
    return SeveralLoops(vcpus, board.clock)


def _told(loops: Sequence[RunLoop], cpu: int, tell: Callable[[RunLoop], None]) -> None:
    """Tell a CPU something; one that nobody runs hears nothing."""
    if cpu < len(loops):
        tell(loops[cpu])
