"""The run loop: enter Unicorn, find out why it came back, wait where the guest waits."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from unicorn import x86_const as x86

from guestmap.accel.api import (
    Capabilities,
    Engine,
    EngineStatistics,
    Exit,
    ExitReason,
    InterruptSource,
    Register,
    Segment,
    SegmentRegister,
)
from guestmap.accel.doorbell import Doorbell
from guestmap.accel.unicorn.binding import UcError
from guestmap.accel.unicorn.boot_state import cpu_signature, reset_state
from guestmap.accel.unicorn.counters import Counters
from guestmap.accel.unicorn.delivery import Cause, Delivery
from guestmap.accel.unicorn.exits import Exits
from guestmap.accel.unicorn.layout import open_cpu, probe
from guestmap.accel.unicorn.mapper import Mapper
from guestmap.accel.unicorn.paging import GuestFault, LinearMemory
from guestmap.accel.unicorn.state import CS, IF, PAGING, BlobState
from guestmap.accel.unicorn.window import InterruptWindow, flush_tlb
from guestmap.base import StateError, UnsupportedError

if TYPE_CHECKING:
    from guestmap.base import Clock
    from guestmap.memory import AddressSpace

_A20_OPEN, _A20_CLOSED = 0xFFFFFFFF, 0xFFEFFFFF
_HLT = 0xF4
_SHADOWS = {0xFB, 0x17, 0xD0}  # the last byte of STI, POP SS, MOV SS, AX: no interrupt right after
_SIGHTINGS = 3
_SEGMENTS = {register: index for index, register in enumerate(SegmentRegister)}
_REGISTERS = {register: getattr(x86, f"UC_X86_REG_{register.name}") for register in Register}


class UnicornEngine(Engine):
    """One x86 CPU in real and 32-bit protected mode.

    Args:
        memory, io: what the CPU sees; must stay for as long as the engine.
        interrupts: the interrupt controller.
        clock: whose timers the engine fires.
        hidden_state: False makes the engine use the documented interface of Unicorn only, as it
        does
            where the probe of the CPU structure fails (see :class:`Capabilities`).
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
    ) -> None:
        super().__init__(memory, io, interrupts, clock)
        model = x86.UC_CPU_X86_QEMU64
        layout = probe(model) if hidden_state else None
        self._uc: Any = open_cpu(model)
        self._signature = cpu_signature(self._uc)
        self._window: InterruptWindow | None = None
        if layout is not None:
            try:
                self._window = InterruptWindow(self._uc, layout, self._acknowledge)
            except (UcError, UnsupportedError):
                layout = None
        self._layout = layout
        self._state = reset_state(self._uc, layout, self._signature)
        self._reset_image = bytes(self._state.data) if isinstance(self._state, BlobState) else b""
        self._counters = Counters()
        self._doorbell = Doorbell(clock, self._uc.emu_stop)
        self._mapper = Mapper(self._uc, self, self._counters)
        self._linear = LinearMemory(self._state, memory)
        delivery = Delivery(self._state, self._linear)
        self._exits = Exits(
            self._uc, memory, io, self._mapper, self._state, delivery, self._counters,
            self._end, self._doorbell.ring, self._on_software_interrupt,
        )  # fmt: skip
        self._exits.install()
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._inside = False
        self._halted = False
        self._interrupt_waits = False
        self._last_eip = self._sightings = 0
        self._exit: Exit | None = None
        self._a20_mask = _A20_OPEN
        self._closed = False
        memory.register_listener(self._mapper)

    @property
    def capabilities(self) -> Capabilities:
        """What the probe of this build of Unicorn found."""
        found = self._layout is not None
        return Capabilities(
            runs_code=True,
            exact_interrupts=self._window is not None,
            exceptions=found,
            reset_vector=found,
            a20=found,
        )

    # -- from any thread ---------------------------------------------------------------------------

    def stop(self) -> None:
        """End the run."""
        self._ask(Exit(ExitReason.STOPPED))

    def request_reset(self) -> None:
        """End the run with RESET."""
        self._ask(Exit(ExitReason.RESET))

    def kick(self) -> None:
        """Look at the interrupt line soon; at once, where the CPU knows already."""
        window = self._window
        known = window is not None and window.armed == self.interrupts.pending
        if not (known and self._inside and self._thread == threading.get_ident()):
            self._doorbell.ring()

    def statistics(self) -> EngineStatistics:
        """Return the counts of this moment."""
        return self._counters.freeze()

    def _ask(self, wanted: Exit) -> None:
        self._exit = wanted
        self._doorbell.ring()

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

        threading.Thread(target=work, name="guestmap-cpu").start()
        try:
            done.wait()
        except BaseException:
            self.stop()
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
            return self._loop()
        finally:
            self._doorbell.shut()
            self._thread = None

    def _loop(self) -> Exit:
        while True:
            self._doorbell.answer()
            self.clock.run_due()
            if (wanted := self._exit) is not None:
                self._exit = None
                return wanted
            self._settle()
            self._offer_interrupt()
            if self._halted:
                if not self._state.eflags & IF:
                    return Exit(ExitReason.HALTED, "HLT with interrupts off")
                self._doorbell.sleep()
            elif self._doorbell.enter(again=self._interrupt_waits):
                self._enter()

    def _enter(self) -> None:
        """Let the guest run until something comes up."""
        self._counters.entries += 1
        self._inside = True
        try:
            self._uc.emu_start(self._state.eip, 0)
        except UcError as error:
            self._end(Exit(ExitReason.ERROR, f"Unicorn: {error}"))
        finally:
            self._inside = False
            asked = self._doorbell.left()
            self._state.load()
        if self._exits.failure is not None:
            failure, self._exits.failure = self._exits.failure, None
            raise failure
        if self._exit is None or self._exit.reason is not ExitReason.ERROR:
            self._look_for_halt(asked)

    def _look_for_halt(self, asked: bool) -> None:
        """Find out whether the guest executed HLT, which Unicorn does not tell.

        It did if nobody asked the CPU to leave. If somebody did, it did only if a HLT is the last
        instruction; but that byte may also belong to something else, or have been jumped over.
        With interrupts on, going on is safe: any guest must expect that HLT ends early.
        """
        if asked and (self._state.eflags & IF or self._before() != _HLT):
            return
        self._halted = True
        self._counters.halts += 1
        for observer in self._on_halt:
            observer()

    def _before(self) -> int:
        """Return the byte before the next instruction; 0 where there is no memory."""
        address = self._state.segment(CS).base + self._state.eip - 1
        try:
            return self._linear.load(address & 0xFFFFFFFF, 1)
        except GuestFault:
            return 0

    def _offer_interrupt(self) -> None:
        """Present the interrupt line to the CPU."""
        pending, state = self.interrupts.pending, self._state
        if self._window is not None and isinstance(state, BlobState):
            if pending and not self._window.armed:
                self._window.arm(state)
            elif self._window.armed and not pending:
                self._window.disarm(state)
            if pending and state.interruptible:
                self._halted = False
            return
        self._interrupt_waits = False
        if pending and state.interruptible and not self._in_shadow():
            self._halted = False
            self._exits.deliver(self._acknowledge(), Cause.EXTERNAL)
        else:
            self._interrupt_waits = pending

    def _in_shadow(self) -> bool:
        """Guess whether the last instruction was STI or MOV SS, from the byte before the next.

        A CPU that is found in the same place again and again did not stop after such an
        instruction: it was jumped to.
        """
        eip = self._state.eip
        self._sightings = self._sightings + 1 if eip == self._last_eip else 0
        self._last_eip = eip
        return self._sightings < _SIGHTINGS and self._before() in _SHADOWS

    def _acknowledge(self) -> int:
        """Run the interrupt acknowledge cycle."""
        self._counters.interrupts += 1
        vector = self.interrupts.acknowledge()
        if self.interrupts.pending:
            self._doorbell.ring()
        return vector

    def _end(self, result: Exit) -> None:
        """End the run from inside."""
        self._exit = result
        self._doorbell.ring()

    # -- the memory map ----------------------------------------------------------------------------

    def may_settle(self) -> bool:
        """Tell whether the memory map may be changed in the middle of what is going on.

        Yes in a port access by a CPU that does not translate addresses: there the change must show
        at once (a PAM register). Unicorn looks code up by linear address, so with paging it
        must wait until the CPU has left; and a device access holds on to its own mapping.
        """
        if self._thread is None:
            return False
        mine = self._thread == threading.get_ident()
        if mine and self._inside and not self._exits.in_device and self._is_flat():
            return True
        if self._inside:
            self._doorbell.ring()
        return False

    def _is_flat(self) -> bool:
        if self._a20_mask != _A20_OPEN:
            return False
        return not self._uc.reg_read(x86.UC_X86_REG_CR0) & PAGING

    def _settle(self) -> None:
        """Apply what had to wait, in a state where linear addresses are physical."""
        state = self._state
        if isinstance(state, BlobState) and state.a20_mask != self._a20_mask:
            state.a20_mask = self._a20_mask
            state.save()
            flush_tlb(self._uc)
        if not self._mapper.unsettled:
            return
        if not isinstance(state, BlobState):
            self._mapper.settle()
            return
        image = bytes(state.data)
        state.set_control(0, state.control(0) & ~PAGING)
        state.a20_mask = _A20_OPEN
        state.save()
        flush_tlb(self._uc)
        self._mapper.settle()
        state.data[:] = image
        state.save()
        flush_tlb(self._uc)

    def set_a20(self, enabled: bool) -> None:
        """Open or close the A20 gate, for the next access."""
        self._a20_mask = _A20_OPEN if enabled else _A20_CLOSED
        if self._inside:
            if self._thread == threading.get_ident() and isinstance(self._state, BlobState):
                self._state.load()
                self._state.a20_mask = self._a20_mask
                self._state.save()
                flush_tlb(self._uc)
            else:
                self._doorbell.ring()

    # -- state -------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Put the CPU into its state after RESET#."""
        self._check_idle()
        self._halted = False
        self._exit = None
        self._a20_mask = _A20_OPEN
        if isinstance(self._state, BlobState):
            self._state.data[:] = self._reset_image
            self._state.save()
            flush_tlb(self._uc)
        else:
            reset_state(self._uc, None, self._signature)

    def read_register(self, register: Register) -> int:
        """Return a register."""
        return int(self._uc.reg_read(_REGISTERS[register]))

    def write_register(self, register: Register, value: int) -> None:
        """Set a register."""
        self._check_idle()
        self._uc.reg_write(_REGISTERS[register], value)
        self._state.load()
        self._halted = False

    def read_segment(self, register: SegmentRegister) -> Segment:
        """Return a segment register."""
        self._state.load()
        return self._state.segment(_SEGMENTS[register])

    def write_segment(self, register: SegmentRegister, segment: Segment) -> None:
        """Set a segment register."""
        self._check_idle()
        if self._layout is None:
            raise UnsupportedError("this build of Unicorn does not let hidden segment state be set")
        self._state.load()
        self._state.set_segment(_SEGMENTS[register], segment)
        self._state.save()

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
        self._uc = None
