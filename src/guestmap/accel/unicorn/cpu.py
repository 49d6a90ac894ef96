"""One Unicorn instance as a CPU that is not running: its state, its interrupt pin, its map.

The engine's run loop calls these between two entries, always in the thread that runs the CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.accel.unicorn.binding import UcError, x86
from guestmap.accel.unicorn.blob_state import LONG_MODE, BlobState
from guestmap.accel.unicorn.boot_state import cpu_signature, reset_state
from guestmap.accel.unicorn.internals import Internals, Library, Refused, known
from guestmap.accel.unicorn.layout import open_cpu, probe
from guestmap.accel.unicorn.leaving import Leaving
from guestmap.accel.unicorn.paging import GuestFault, LinearMemory
from guestmap.accel.unicorn.smm import SystemManagement
from guestmap.accel.unicorn.state import CS, PAGING
from guestmap.accel.unicorn.window import InterruptWindow, flush_tlb
from guestmap.base import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.accel.unicorn.internals.findings import Findings
    from guestmap.accel.unicorn.layout import Layout
    from guestmap.accel.unicorn.mapper import Mapper
    from guestmap.accel.unicorn.register_state import RegisterState
    from guestmap.memory import AddressSpace


A20_OPEN, A20_CLOSED = 0xFFFFFFFF, 0xFFEFFFFF

_HLT = 0xF4
_OUT_IMMEDIATE = frozenset({0xE6, 0xE7})
_SHADOWS = {0xFB, 0x17, 0xD0}  # the last byte of STI, POP SS, MOV SS, AX: no interrupt right after
_SIGHTINGS = 3


class Cpu:
    """The CPU.

    Args:
        memory: what it sees.
        acknowledge: runs the interrupt acknowledge cycle.
        hidden_state: False: use Unicorn's documented interface only.
        internals: False: leave the library's inside alone.

    Attributes:
        uc: the Unicorn instance.
        state: its registers, as they were when the CPU was left.
        linear: memory at linear addresses, in that state.
        smm: its system management mode.
        window: its interrupt request; None where this build of Unicorn has no use for it.
        a20_mask: what the A20 gate shall make of physical addresses.
        leaving: how it is made to leave the guest.
        internals: what is used of the library's inside; None where that is nothing.
        documented: why it is nothing.
    """

    def __init__(
        self,
        memory: AddressSpace,
        acknowledge: Callable[[], int],
        *,
        hidden_state: bool,
        internals: bool,
    ) -> None:
        model = x86.UC_CPU_X86_QEMU64
        layout, inside = self._look_inside(model, internals) if hidden_state else (None, None)
        self.uc: Any = open_cpu(model)
        self.leaving = Leaving(self.uc)
        self._signature = cpu_signature(self.uc)
        self.window: InterruptWindow | None = None
        self.internals: Internals | None = None
        if layout is not None:
            try:
                self.window = InterruptWindow(self.uc, layout, acknowledge)
            except (UcError, UnsupportedError):
                layout = None
        if inside is not None and self.window is not None:
            try:
                self.internals = Internals(self.uc, *inside, self.leaving, self.window)
            except Refused as error:
                self.documented = str(error)
        live = self.internals.state if self.internals is not None else None
        self.state: BlobState | RegisterState = reset_state(self.uc, layout, self._signature, live)
        self._image = self.state.image() if isinstance(self.state, BlobState) else b""
        self.linear = LinearMemory(self.state, memory)
        self.smm = SystemManagement(self)
        self.a20_mask = A20_OPEN
        self._last_eip = self._sightings = 0

    def _look_inside(
        self, model: int, internals: bool
    ) -> tuple[Layout | None, tuple[Library, Findings] | None]:
        """Return where the registers are, and what is known of the library."""
        self.documented = "" if internals else "asked for"
        if internals:
            try:
                library = Library()
                findings = known(library)
            except Refused as error:
                self.documented = str(error)
                import logging

                logging.getLogger(__name__).warning("Unicorn's inside is not used: %s", error)
            else:
                return findings.layout, (library, findings)
        return probe(model), None

    def reset(self) -> None:
        """Put the CPU into its state after RESET#."""
        self.a20_mask = A20_OPEN
        self.smm.reset()
        # The library keeps translations of code that is gone until its buffer of a GiB is full.
        self.uc.ctl_flush_tb()
        if isinstance(self.state, BlobState):
            self.state.restore(self._image)
            flush_tlb(self.uc)
            if self.window is not None:
                # A request whose delivery faulted still stands, and belongs to the time before.
                self.window.disarm(self.state)
        else:
            reset_state(self.uc, None, self._signature)
        if self.internals is not None:
            self.internals.forget_code()

    # -- running -----------------------------------------------------------------------------------

    def run(self) -> None:
        """Run until something makes the CPU leave; the state is loaded afterwards.

        Raises:
            UcError: Unicorn gives up.
        """
        inside = self.internals
        if inside is None:
            try:
                self.uc.emu_start(self.state.pc, 0)
            finally:
                self.state.load()
            return
        inside.begin()
        try:
            self.uc.emu_start(inside.state.pc, 0)
        finally:
            inside.end()

    @property
    def halted(self) -> bool | None:
        """Whether the run has ended with HLT; None where that is not told."""
        inside = self.internals
        return inside.halted if inside is not None and inside.has("halts") else None

    @property
    def shut_down(self) -> bool:
        """Whether a run ended with a triple fault, where the library itself delivers exceptions."""
        inside = self.internals
        return inside is not None and inside.has("exceptions") and inside.state.in_double_fault

    def forget_code(self) -> None:
        """Have code translated anew: hooks are looked for as that is done."""
        self.uc.ctl_flush_tb()
        flush_tlb(self.uc)
        if self.internals is not None:
            self.internals.forget_code()

    # -- interrupts --------------------------------------------------------------------------------

    def present(self, pending: bool) -> bool:
        """Give the CPU the level of its INTR pin; True where it takes care of the rest itself."""
        if self.window is None or not isinstance(self.state, BlobState):
            return False
        if pending and not self.window.armed:
            self.window.arm(self.state)
        elif self.window.armed and not pending:
            self.window.disarm(self.state)
        return True

    def knows_of(self, pending: bool) -> bool:
        """Tell whether the CPU has been given this level of its INTR pin."""
        return self.window is not None and self.window.armed == pending

    def in_shadow(self) -> bool:
        """Guess whether the last instruction was STI or MOV SS, from the byte before the next.

        A CPU that is found in the same place again and again did not stop after such an
        instruction: it was jumped to.
        """
        eip = self.state.eip
        self._sightings = self._sightings + 1 if eip == self._last_eip else 0
        self._last_eip = eip
        return self._sightings < _SIGHTINGS and self.byte_before() in _SHADOWS

    def is_behind_halt(self) -> bool:
        """Tell whether the last instruction was HLT, and not OUT to port F4h.

        To be asked after a port write only: elsewhere the byte may belong to anything.
        """
        return self.byte_before() == _HLT and self.byte_before(2) not in _OUT_IMMEDIATE

    def byte_before(self, distance: int = 1) -> int:
        """Return the byte ``distance`` before the next instruction; 0 where there is no memory."""
        address = self.state.segment(CS).base + self.state.eip - distance
        try:
            return self.linear.load(address & 0xFFFFFFFF, 1)
        except GuestFault:
            return 0

    # -- the memory map ----------------------------------------------------------------------------

    def is_flat(self) -> bool:
        """Tell whether linear addresses are physical ones just now; also while the CPU runs."""
        if self.a20_mask != A20_OPEN:
            return False
        if self.internals is not None:
            return not self.state.control(0) & PAGING
        return not self.uc.reg_read(x86.UC_X86_REG_CR0) & PAGING

    def apply_a20(self) -> None:
        """Make the A20 gate what ``a20_mask`` says; in the middle of an instruction as well."""
        state = self.state
        if isinstance(state, BlobState):
            state.load()
            if state.a20_mask != self.a20_mask:
                if self.internals and self.internals.set_a20(self.a20_mask == A20_OPEN):
                    return
                state.a20_mask = self.a20_mask
                state.save()
                flush_tlb(self.uc)

    def settle(self, mapper: Mapper) -> None:
        """Apply what the mapper has, in a state where linear addresses are physical.

        Raises:
            HostError: Unicorn refuses; the CPU's state is as it was.
        """
        state = self.state
        if not isinstance(state, BlobState):
            mapper.settle()
            return
        image = state.image()
        state.set_control(0, state.control(0) & ~PAGING)
        state.hflags |= LONG_MODE  # or addresses would be cut to 32 bits
        state.a20_mask = A20_OPEN
        state.save()
        flush_tlb(self.uc)
        try:
            mapper.settle()
        finally:
            state.restore(image)
            flush_tlb(self.uc)
