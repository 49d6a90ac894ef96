"""The run loop: enter Unicorn, find out why it came back, wait where the guest waits."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from unicorn import x86_const as x86

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
from guestmap.accel.unicorn.binding import UcError
from guestmap.accel.unicorn.counters import Counters
from guestmap.accel.unicorn.cpu import A20_CLOSED, A20_OPEN, Cpu
from guestmap.accel.unicorn.delivery import Cause, Delivery
from guestmap.accel.unicorn.exits import Exits
from guestmap.accel.unicorn.internals import PARTS
from guestmap.accel.unicorn.layout import SCRATCH
from guestmap.accel.unicorn.mapper import Mapper
from guestmap.accel.unicorn.state import CS, IF
from guestmap.base import ConfigError, HostError, StateError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.accel.types import SoftwareInterrupt
    from guestmap.base import Clock
    from guestmap.memory import AddressSpace

_START_S = 1.0
"""How long a thread may take to begin; one that has begun is waited for without end."""

_SEGMENTS = {register: index for index, register in enumerate(SegmentRegister)}
_REGISTERS = {register: getattr(x86, f"UC_X86_REG_{register.name}") for register in Register}


INTERNALS_VARIABLE = "GUESTMAP_UNICORN"
"""Environment variable: ``documented`` leaves the library's inside alone."""


def _wants_internals() -> bool:
    wanted = os.environ.get(INTERNALS_VARIABLE, "")
    if wanted not in {"", "internals", "documented"}:
        raise ConfigError(f"{INTERNALS_VARIABLE}={wanted!r}: say internals or documented")
    return wanted != "documented"


class UnicornEngine(Engine):
    """One x86 CPU: in all modes, or without long mode (see :class:`Capabilities`).

    Args:
        memory, io: what the CPU sees; must stay for as long as the engine.
        interrupts: the interrupt controller.
        clock: whose timers the engine fires.
        hidden_state: False makes the engine use nothing but the documented interface of Unicorn, as
            it does where the probe of the CPU structure fails (see :class:`Capabilities`).
        internals: False makes it leave the library's inside alone (:mod:`~.internals`); None does
            what the environment says.

    Raises:
        ConfigError: the environment asks for something that is not there.
    """

    name = "unicorn"

    def __init__(
        self,
        memory: AddressSpace,
        io: AddressSpace,
        interrupts: InterruptSource,
        clock: Clock,
        *,
        hidden_state: bool = True,
        internals: bool | None = None,
    ) -> None:
        super().__init__(memory, io, interrupts, clock)
        self._counters = Counters()
        if internals is None:
            internals = _wants_internals()
        self._cpu = cpu = Cpu(
            memory, self._acknowledge, hidden_state=hidden_state, internals=internals
        )
        self._uc = cpu.uc
        self._leaving = cpu.leaving
        self._doorbell = Doorbell(clock, self._leaving.ask)
        self._mapper = Mapper(self._uc, self, self._counters, limit=SCRATCH)
        delivery = Delivery(cpu.state, cpu.linear)
        self._exits = Exits(
            self._uc, memory, io, self._mapper, cpu.state, delivery, self._counters,
            self._end, self._doorbell.ring, self._leaving, self._on_software_interrupt,
        )  # fmt: skip
        if cpu.internals is not None and cpu.internals.stores is not None:
            self._mapper.may_have_code = cpu.internals.stores.has_code
        self._exceptions = cpu.internals.exceptions if cpu.internals is not None else None
        self._exits.install(
            deliver=self._exceptions is None,
            everywhere=cpu.internals is None or cpu.internals.stores is None,
        )
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._inside = False
        self._halted = False
        self._interrupt_waits = False
        self._stop_wanted = False
        self._ended: Exit | None = None
        self._closed = False
        memory.register_listener(self._mapper)

    @property
    def capabilities(self) -> Capabilities:
        """What the probe of this build of Unicorn found."""
        found = self._cpu.window is not None
        return Capabilities(
            runs_code=True,
            exact_interrupts=found,
            exceptions=found,
            reset_vector=found,
            a20=found,
            long_mode=self._exceptions is not None and self._has_long_mode(),
        )

    @property
    def parts(self) -> dict[str, str]:
        """How each part of the CPU is done: "internals", or why it is done otherwise."""
        inside = self._cpu.internals
        if inside is None:
            return dict.fromkeys(PARTS, f"documented: {self._cpu.documented}")
        why = {part: f"documented: {reason}" for part, reason in inside.refused.items()}
        return dict.fromkeys(PARTS, "internals") | why

    def _has_long_mode(self) -> bool:
        inside = self._cpu.internals
        return inside is not None and inside.has("long mode") and inside.has("system calls")

    # -- from any thread ---------------------------------------------------------------------------

    def stop(self) -> None:
        """End the run."""
        self._stop_wanted = True
        self._doorbell.ring()

    def request_reset(self) -> None:
        """End the run with RESET."""
        self._end(Exit(ExitReason.RESET))

    def kick(self) -> None:
        """Look at the interrupt line soon; not at all, where the CPU knows already."""
        if not (self._in_guest and self._cpu.knows_of(self.interrupts.pending)):
            self._doorbell.ring()

    def attend(self) -> None:
        """Leave the guest and give way."""
        self._doorbell.ring()

    def statistics(self) -> EngineStatistics:
        """Return the counts of this moment."""
        if self._exceptions is not None:
            self._counters.software_interrupts = self._exceptions.software
            self._counters.exceptions = self._exceptions.exceptions
        return self._counters.freeze()

    def observe_software_interrupts(self, observer: Callable[[SoftwareInterrupt], None]) -> None:
        """Call ``observer`` before each ``INT n`` takes effect, in the thread that runs the CPU.

        Where the library itself delivers them, those in real mode alone are seen.
        """
        super().observe_software_interrupts(observer)
        if self._exceptions is not None:
            self._exceptions.watch(self._exits.watched_interrupt)

    @property
    def _in_guest(self) -> bool:
        """Whether the caller was called, directly or not, by the running CPU."""
        return self._inside and self._thread == threading.get_ident()

    # -- running -----------------------------------------------------------------------------------

    def run(self) -> Exit:
        """Run the CPU; from the main thread by way of another one, so that signals get through."""
        if threading.current_thread() is not threading.main_thread():
            return self._run()
        outcome: list[Exit | BaseException] = []
        done = threading.Event()  # Thread.join() is no good: interrupted, it forgets the thread

        def work() -> None:
            try:
                outcome.append(self._run())
            except BaseException as error:  # noqa: BLE001 - handed on to the caller of run()
                outcome.append(error)
            finally:
                done.set()

        thread = threading.Thread(target=work, name="guestmap-cpu")
        try:
            thread.start()
            done.wait()
        except BaseException:  # Ctrl-C, perhaps before the thread was there at all
            self.stop()
            if not done.wait(_START_S) and thread.ident is not None:
                done.wait()
            raise
        result = outcome[0]
        if isinstance(result, BaseException):
            raise result
        return result

    def _run(self) -> Exit:
        with self._lock:
            self._check_idle()
            self._thread = threading.get_ident()
        self._doorbell.open()
        try:
            with self.turn:
                return self._loop()
        finally:
            self._doorbell.shut()
            self._thread = None

    def _loop(self) -> Exit:
        cpu = self._cpu
        while True:
            self._doorbell.answer()
            self.turn.give_way()
            self.clock.run_due()
            if (end := self._take_end()) is not None:
                return end
            cpu.apply_a20()
            if self._mapper.unsettled:
                try:
                    cpu.settle(self._mapper)
                except HostError as error:  # too late to refuse what was committed
                    return Exit(ExitReason.ERROR, str(error))
            self._offer_interrupt()
            if self._halted:
                if not cpu.state.eflags & IF:
                    return Exit(ExitReason.HALTED, "HLT with interrupts off")
                with self.turn.away():
                    self._doorbell.sleep()
            elif self._doorbell.enter(again=self._interrupt_waits):
                self._enter()

    def _take_end(self) -> Exit | None:
        """Return why the run ends, if it does; a stop that comes second ends the next run."""
        if self._ended is not None:
            end, self._ended = self._ended, None
            return end
        if self._stop_wanted:
            self._stop_wanted = False
            return Exit(ExitReason.STOPPED)
        return None

    def _enter(self) -> None:
        """Let the guest run until something comes up."""
        self._counters.entries += 1
        self._inside = True
        try:
            self._cpu.run()
        except UcError as error:
            self._end(Exit(ExitReason.ERROR, f"Unicorn: {error}"))
        finally:
            self._inside = False
            self._doorbell.left()
            obeyed, late = self._leaving.obeyed, self._leaving.late
            self._leaving.forget()
        if self._exits.failure is not None:
            failure, self._exits.failure = self._exits.failure, None
            raise failure
        if self._ended is None:
            self._find_out_why(obeyed=obeyed, late=late)

    def _find_out_why(self, *, obeyed: bool, late: bool) -> None:
        """Find out why the CPU has left: it halts, it was asked to, or it has shut down."""
        cpu = self._cpu
        halted = cpu.halted
        if halted is None:  # not told: what has left without being asked to has halted
            halted = not obeyed and (cpu.is_behind_halt() if late else not cpu.shut_down)
        if halted:
            self._halt()
        elif cpu.shut_down:
            code = cpu.state.segment(CS).selector
            self._end(Exit(ExitReason.SHUTDOWN, f"triple fault at {code:04x}:{cpu.state.pc:08x}"))

    def _halt(self) -> None:
        """Note a HLT."""
        self._halted = True
        self._counters.halts += 1
        for observer in self._on_halt:
            observer()

    def _offer_interrupt(self) -> None:
        """Present the interrupt line to the CPU."""
        pending, state = self.interrupts.pending, self._cpu.state
        by_itself = self._cpu.present(pending)
        takes = pending and state.interruptible and (by_itself or not self._cpu.in_shadow())
        if takes:
            self._halted = False
        self._interrupt_waits = pending and not by_itself and not takes
        if takes and not by_itself:
            self._exits.deliver(self._acknowledge(), Cause.EXTERNAL)

    def _acknowledge(self) -> int:
        """Run the interrupt acknowledge cycle."""
        self._counters.interrupts += 1
        vector = self.interrupts.acknowledge()
        if self.interrupts.pending:
            self._doorbell.ring()
        return vector

    def _end(self, end: Exit) -> None:
        """End the run, unless something else has ended it already."""
        if self._ended is None:
            self._ended = end
        self._doorbell.ring()

    # -- the memory map ----------------------------------------------------------------------------

    def may_settle(self) -> bool:
        """Tell whether the memory map may be changed in the middle of what is going on.

        Yes in a port access by a CPU that does not translate addresses: there the change must show
        at once (a PAM register). Unicorn looks code up by linear address, so with paging it
        must wait until the CPU has left; and a device access holds on to its own mapping.
        """
        if self._in_guest and not self._exits.in_device and self._cpu.is_flat():
            return True
        self._doorbell.ring()
        return False

    def set_a20(self, enabled: bool) -> None:
        """Open or close the A20 gate, for the next access."""
        self._cpu.a20_mask = A20_OPEN if enabled else A20_CLOSED
        if self._in_guest:
            self._cpu.apply_a20()
        else:
            self._doorbell.ring()

    # -- state -------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Put the CPU into its state after RESET#."""
        self._check_idle()
        self._halted = False
        self._ended = None
        self._cpu.reset()

    def read_register(self, register: Register) -> int:
        """Return a register."""
        return int(self._uc.reg_read(_REGISTERS[register]))

    def write_register(self, register: Register, value: int) -> None:
        """Set a register."""
        self._check_idle()
        self._uc.reg_write(_REGISTERS[register], value)
        self._cpu.state.load()
        self._halted = False

    def read_segment(self, register: SegmentRegister) -> Segment:
        """Return a segment register."""
        self._cpu.state.load()
        return self._cpu.state.segment(_SEGMENTS[register])

    def write_segment(self, register: SegmentRegister, segment: Segment) -> None:
        """Set a segment register."""
        self._check_idle()
        state = self._cpu.state
        if not state.complete:
            raise UnsupportedError("this build of Unicorn does not let hidden segment state be set")
        state.load()
        state.set_segment(_SEGMENTS[register], segment)
        state.save()

    def _check_idle(self) -> None:
        if self._closed:
            raise StateError("engine 'unicorn' is closed")
        if self._thread is not None:
            raise StateError("engine 'unicorn' runs: stop it first")

    def close(self) -> None:
        """Let go of the address spaces and of the host's memory."""
        if self._closed:
            return
        self._check_idle()
        self._closed = True
        self.memory.unregister_listener(self._mapper)
        self._mapper.release()
