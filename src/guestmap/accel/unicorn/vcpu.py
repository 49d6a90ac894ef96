"""A CPU that Unicorn executes: what it is told before it goes in, and why it came back."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from guestmap.accel.exits import KICKED, Exit, ExitReason
from guestmap.accel.interrupt_pin import InterruptPin
from guestmap.accel.types import Register, Segment, SegmentRegister
from guestmap.accel.unicorn.binding import UcError, x86
from guestmap.accel.unicorn.cpu import A20_CLOSED, A20_OPEN, Cpu
from guestmap.accel.unicorn.hooks import Hooks
from guestmap.accel.unicorn.layout import SCRATCH
from guestmap.accel.unicorn.mapper import Mapper
from guestmap.accel.unicorn.state import CS, IF
from guestmap.accel.vcpu import ALL_VECTORS, Activity, Vcpu
from guestmap.base import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from guestmap.accel.counters import Counters
    from guestmap.accel.following import CpuFollower
    from guestmap.accel.types import SoftwareInterrupt
    from guestmap.accel.unicorn.debug import UnicornProbe
    from guestmap.accel.vcpu import InterruptSource
    from guestmap.accel.vcpu_state import VcpuState
    from guestmap.memory import AddressSpace

_SEGMENTS = {register: index for index, register in enumerate(SegmentRegister)}
_REGISTERS = {register: getattr(x86, f"UC_X86_REG_{register.name}") for register in Register}


class UnicornVcpu(Vcpu):
    """The one CPU of :class:`guestmap.accel.unicorn.accelerator.UnicornAccelerator`; see there.

    Attributes:
        cpu: the instance.
        mapper: keeps its memory map in step with the machine's.
        in_vain: what the guest did in vain, in memory.
    """

    def __init__(
        self,
        memory: AddressSpace,
        io: AddressSpace,
        interrupts: InterruptSource,
        counters: Counters,
        *,
        hidden_state: bool,
        internals: bool,
    ) -> None:
        super().__init__("unicorn", 0)
        self._interrupts = InterruptPin(interrupts)
        self._counters = counters
        self._memory = memory
        self._sees_smm = False
        self.cpu = cpu = Cpu(
            memory, self._acknowledge, hidden_state=hidden_state, internals=internals
        )
        self._leaving = cpu.leaving
        self.mapper = Mapper(cpu.uc, self, counters, limit=SCRATCH)
        inside = cpu.internals
        self._exceptions = inside.exceptions if inside is not None else None
        stores = inside.stores if inside is not None else None
        self._overwritten = inside.overwritten if inside is not None else None
        if stores is not None:
            self.mapper.stale.may_have_code = stores.has_code
            self.mapper.stale.cpu_waits = lambda: self.in_guest
        self._hooks = Hooks(
            cpu, memory, io, self.mapper, counters,
            self._end, self._notify, self._on_software_interrupt,
        )  # fmt: skip
        self.in_vain = self._hooks.in_vain
        self._hooks.install(deliver=self._exceptions is None, everywhere=stores is None)
        self._halted = False
        self._ended: Exit | None = None
        self._begin: Callable[[], None] | None = None  # of a probe that is there
        self._follower: CpuFollower | None = None

    def _notify(self) -> None:
        self.notify()

    # -- running -----------------------------------------------------------------------------------

    def prepare(self) -> Activity:
        """Bring A20 gate, memory map and interrupt line to where they shall be."""
        cpu = self.cpu
        cpu.apply_a20()
        self._change_mode()
        page = self._overwritten.page if self._overwritten is not None else None
        if page is not None:
            self.mapper.stale.whole_page(page)
        if self.mapper.unsettled:
            cpu.settle(self.mapper)
        if page is not None and self._overwritten is not None:
            self._overwritten.is_data(page)
        waits = self._offer_interrupt()
        if self._halted:
            return Activity.HALTED if cpu.state.eflags & IF else Activity.HALTED_FOR_GOOD
        return Activity.RETRYING if waits else Activity.ACTIVE

    def _change_mode(self) -> None:
        """Go on from RSM; take the system management interrupt that is due."""
        smm, memory = self.cpu.smm, self.smm_memory
        if memory is None:
            return
        if smm.returns:
            smm.leave(memory)
        if smm.is_due:
            smm.enter(memory)
            self._halted = False
        if smm.active is not self._sees_smm:
            self._see(memory if smm.active else self._memory)

    def _see(self, memory: AddressSpace) -> None:
        """Have it see the memory of its mode, and look out for the end of that."""
        self._sees_smm = self.cpu.smm.active
        self.mapper.follow(memory)
        self._hooks.memory = memory
        self.cpu.linear.see(memory)
        if self._exceptions is not None:
            answer = self._hooks.meets_return if self._sees_smm else None
            self._exceptions.answer_invalid_opcodes(answer)

    def _offer_interrupt(self) -> bool:
        """Present the interrupt line to the CPU; return whether to do so again in a moment."""
        pending, state = self._interrupts.pending, self.cpu.state
        by_itself = self.cpu.present(pending)
        takes = pending and state.interruptible and (by_itself or not self.cpu.in_shadow())
        if takes:
            self._halted = False
            if not by_itself:
                self._hooks.interrupts.external(self._acknowledge())
        return pending and not by_itself and not takes

    def run(self) -> Exit:
        """Let the guest execute until something comes up."""
        if self._ended is None:  # a delivery may have ended in a triple fault already
            self._execute()
        end, self._ended = self._ended, None
        return end or KICKED

    def _execute(self) -> None:
        self._counters.entries += 1
        if self._begin is not None:
            self._begin()
        lines = self._hooks.lines
        if lines is not None:
            lines.look()
        self._inside = True
        try:
            self.cpu.run()
        except UcError as error:
            self._end(Exit(ExitReason.ERROR, f"Unicorn: {error}"))
        finally:
            self._inside = False
            obeyed, late = self._leaving.obeyed, self._leaving.late
            self._leaving.forget()
            if lines is not None:
                lines.hand_on()
        if self._hooks.failure is not None:
            failure, self._hooks.failure = self._hooks.failure, None
            raise failure
        if self._ended is None:
            self._ended = self._found(obeyed=obeyed, late=late)

    def _found(self, *, obeyed: bool, late: bool) -> Exit | None:
        """Find out why the CPU has left: it halts, or has shut down; None: it was asked to."""
        cpu = self.cpu
        halted = cpu.halted
        if halted is None:  # not told: what has left without being asked to has halted
            halted = not obeyed and (cpu.is_behind_halt() if late else not cpu.shut_down)
        if halted:
            self._halted = True
            self._counters.halts += 1
            return Exit(ExitReason.HALTED)
        if cpu.shut_down:
            code = cpu.state.segment(CS).selector
            return Exit(ExitReason.SHUTDOWN, f"triple fault at {code:04x}:{cpu.state.pc:08x}")
        return None

    def kick(self) -> None:
        """Have the CPU leave before the next block of code."""
        self._leaving.ask()

    def _end(self, end: Exit) -> None:
        """Have :meth:`run` return ``end``, unless something else has come up already."""
        if self._ended is None:
            self._ended = end
        self.notify()

    # -- pins --------------------------------------------------------------------------------------

    def knows_interrupts(self) -> bool:
        """Tell whether the CPU has been given that level of its INTR pin."""
        return self.in_guest and self.cpu.knows_of(self._interrupts.pending)

    def _acknowledge(self) -> int:
        """Run the interrupt acknowledge cycle."""
        self._counters.interrupts += 1
        vector = self._interrupts.acknowledge()
        if self._follower is not None:
            self._follower.interrupted(vector)
        if self._interrupts.pending:
            self.notify()
        return vector

    def set_a20(self, enabled: bool) -> None:
        """Open or close the A20 gate, for the next access."""
        self.cpu.a20_mask = A20_OPEN if enabled else A20_CLOSED
        if self.in_guest:
            self.cpu.apply_a20()
        else:
            self.notify()

    def raise_smi(self) -> None:
        """Have it take a system management interrupt, soon."""
        if self.smm_memory is not None and self.cpu.state.complete:
            self.cpu.smm.pending = True
            self.notify()

    @property
    def in_smm(self) -> bool:
        """Whether it is in system management mode."""
        return self.cpu.smm.active

    def reset(self) -> None:
        """Put the CPU into its state after RESET#."""
        self.check_outside()
        self._halted = False
        self._ended = None
        self._interrupts.accepted = None
        self.cpu.reset()

    def may_settle(self) -> bool:
        """Tell whether the memory map may be changed in the middle of what is going on.

        Yes in a port access by a CPU that does not translate addresses: there the change must show
        at once (a PAM register). Unicorn looks code up by linear address, so with paging it
        must wait until the CPU has left; and a device access holds on to its own mapping.
        """
        if self.in_guest and not self._hooks.in_device and self.cpu.is_flat():
            return True
        self.notify()
        return False

    # -- registers ---------------------------------------------------------------------------------

    def read_register(self, register: Register) -> int:
        """Return a register."""
        return int(self.cpu.uc.reg_read(_REGISTERS[register]))

    def write_register(self, register: Register, value: int) -> None:
        """Set a register."""
        self.check_idle()
        self.cpu.uc.reg_write(_REGISTERS[register], value)
        self.cpu.state.load()
        self._halted = False

    def read_segment(self, register: SegmentRegister) -> Segment:
        """Return a segment register."""
        self.cpu.state.load()
        return self.cpu.state.segment(_SEGMENTS[register])

    def write_segment(self, register: SegmentRegister, segment: Segment) -> None:
        """Set a segment register."""
        self.check_idle()
        state = self.cpu.state
        if not state.complete:
            raise UnsupportedError("this build of Unicorn does not let hidden segment state be set")
        state.load()
        state.set_segment(_SEGMENTS[register], segment)
        state.save()

    def save(self) -> VcpuState:
        """Return all that it knows."""
        self.check_outside()
        from guestmap.accel.unicorn import whole_state

        smm, state = self.cpu.smm, whole_state.save(self.cpu, halted=self._halted)
        state.accepted = self._interrupts.accepted
        state.smbase, state.smm, state.smi = smm.base, smm.active, smm.pending
        return state

    def load(self, state: VcpuState) -> None:
        """Go on from what was saved."""
        self.check_outside()
        self._ended = None
        self.cpu.reset()
        from guestmap.accel.unicorn import whole_state

        whole_state.load(self.cpu, state)
        smm, self._halted = self.cpu.smm, state.halted
        self._interrupts.accepted = state.accepted
        smm.base, smm.active, smm.pending = state.smbase, state.smm, state.smi
        self.notify()

    # -- what is seen ------------------------------------------------------------------------------

    def observe_software_interrupts(
        self,
        observer: Callable[[SoftwareInterrupt], None],
        vectors: Collection[int] = ALL_VECTORS,
    ) -> None:
        """Call ``observer`` before each ``INT n`` takes effect.

        Where the library itself delivers them, those in real mode alone are seen.
        """
        super().observe_software_interrupts(observer, vectors)
        if self._exceptions is not None:
            self._exceptions.watch(self._hooks.watched_interrupt, vectors)

    @cached_property
    def probe(self) -> UnicornProbe:
        """What watches it."""
        from guestmap.accel.unicorn.debug import UnicornProbe

        made = UnicornProbe(self.cpu, self._hooks, self.check_outside, self._end)
        self._begin = made.begin
        if self._hooks.strings is not None:
            self._hooks.strings.allowed = False
        return made

    def follow(self, follower: CpuFollower) -> None:
        """Tell somebody of its modes, stacks and interrupts from now on."""
        self.check_outside()
        from guestmap.accel.unicorn.following import FollowingHook

        FollowingHook(self.cpu, follower)
        self._follower = follower
        self.cpu.forget_code()

    def collect_lines(self, port: int, take: Callable[[bytes], None]) -> None:
        """Have bytes that are written to a port be taken several at a time, where that can be."""
        self._hooks.collect_lines(port, take)

    def count_exceptions(self) -> None:
        """Bring the counters to what the library has counted."""
        if self._exceptions is not None:
            self._counters.software_interrupts = self._exceptions.software
            self._counters.exceptions = self._exceptions.exceptions
