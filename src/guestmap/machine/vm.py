"""A running PC: the machine, an accelerator, and the story that the firmware tells.

A program either runs the machine itself (:meth:`VirtualMachine.run`), or has it run in a thread of
its own (:meth:`VirtualMachine.start`) and manages it from others. Whoever is not the CPU's thread
does everything that reads or changes devices inside :meth:`VirtualMachine.exclusive`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from guestmap.accel import Accelerator, SoftwareInterrupt, Vcpu, Watchdog, open_accelerator
from guestmap.accel.factory import has_smm
from guestmap.base import Clock, VmClock
from guestmap.machine.boards import make_board
from guestmap.machine.config import MachineConfig
from guestmap.machine.debug_log import DebugLog
from guestmap.machine.observed import Event, LogLine
from guestmap.machine.phases import BOOT_INTERRUPTS
from guestmap.machine.running import Running
from guestmap.machine.watching import Watching
from guestmap.machine.wiring import check_smm, chip_of, loop_of, wire_cpus

if TYPE_CHECKING:
    from guestmap.machine.flow.tracker import FlowTracker
    from guestmap.machine.saved.snapshots import Snapshots
    from guestmap.machine.trace import Trace


class VirtualMachine(Running):
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
        flow: what follows its firmware; None for nothing.
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
                processors=board.processors, few_will_do=True, chip=chip_of(config),
            )  # fmt: skip
            check_smm(board, accelerator)
        except BaseException:
            board.close()
            raise
        super().__init__(board, loop_of(accelerator, board), observer)
        self.accelerator: Accelerator = accelerator
        self.snapshots: Snapshots | None = None
        self.flow: FlowTracker | None = None
        self.watching = Watching(self.vcpus, self.exclusive)
        self._trace: Trace | None = None
        self._closing = threading.Lock()
        self.debug_log = DebugLog(board.clock.now_ns, self._logged)
        self._wire()

    def _wire(self) -> None:
        board, loop, vcpu = self.board, self.loop, self.vcpu
        if self.accelerator.in_vain is not None:
            self.accelerator.in_vain.now_ns = board.clock.now_ns
        board.on_a20 = vcpu.set_a20
        if self.accelerator.irqchip is not None:
            board.use_irqchip(self.accelerator.irqchip)
        board.on_debug_text = self.debug_log.text
        if board.debug_port is not None:
            vcpu.collect_lines(board.debug_port, lambda text: board.on_debug_text(text))
        wire_cpus(board, loop.loops)
        if self.accelerator.capabilities.runs_code:
            board.executes(0)
        board.system.subscribe(self._observer)
        vcpu.observe_software_interrupts(self._software_interrupt, BOOT_INTERRUPTS)
        loop.observe_halts(self.phases.halted)
        if self.accelerator.may_stand_still:
            for each in loop.loops:
                Watchdog(each, self._observer)

    @property
    def vcpu(self) -> Vcpu:
        """The first CPU."""
        return self.loop.vcpu

    @property
    def vcpus(self) -> tuple[Vcpu, ...]:
        """The CPUs that run; others that the machine has wait as after a reset."""
        return tuple(each.vcpu for each in self.loop.loops)

    # -- what the firmware shows -----------------------------------------------------------------

    @property
    def log(self) -> list[LogLine]:
        """The newest lines of the debug console, oldest first."""
        return self.debug_log.lines

    def _logged(self, line: LogLine) -> None:
        self._observer(line)
        self.phases.line(line.text)

    def _software_interrupt(self, interrupt: SoftwareInterrupt) -> None:
        self.phases.interrupt(interrupt.vector)

    @property
    def trace(self) -> Trace:
        """The trace of its CPU's accesses."""
        if self._trace is None:
            from guestmap.machine.trace import Trace

            self._trace = Trace(self)
        return self._trace

    def tell(self, event: Event) -> None:
        """Tell the observer of what is traced or followed, in the thread that runs the CPU."""
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
