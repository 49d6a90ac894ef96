"""String instructions that go through a device's window, done in one go.

A REP MOVS or REP STOS is one access after the other to the library, and each that finds no memory a
call of Python. Where a guest writes to something like memory, address by address upward, the CPU
calls here before its next block of code; if it then stands at such an instruction, whose registers
say how far it has come, what is left of it is done: the same accesses in the same order. An
instruction that is done is left with a count of 0, which the CPU makes nothing of.

Where addresses are translated that goes from page to page: the CPU itself makes the first access of
each, with all that it checks and notes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.accel.unicorn.paging import GuestFault
from guestmap.accel.unicorn.pieces import PAGE
from guestmap.accel.unicorn.state import CS, DESC_BIG, DESC_LONG, EAX, ECX, EDI, ES, ESI, FS, GS, TF
from guestmap.memory.access.dispatch_cache import page_write

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.accel.counters import Counters
    from guestmap.accel.unicorn.blob_state import BlobState
    from guestmap.accel.unicorn.cpu import Cpu
    from guestmap.accel.unicorn.hooks import Hooks
    from guestmap.accel.unicorn.string_instruction import StringInstruction
    from guestmap.memory import AddressSpace

_MOST = 4096
"""Accesses in one go: interrupts and timers wait for as long."""

_LEAST = 8
"""Accesses for which nobody is called."""

_MOST_OTHERS = 64
_DF = 1 << 10
_USER = 3
_32_BITS = 0xFFFFFFFF
_WIDEST = 4
"""Bytes of the widest access that a device takes as one."""
_KNOWN_BY = 8
"""Bytes that an instruction is known again by."""


class Strings:
    """The string instructions of one CPU, whose registers can be looked at while it runs.

    Args:
        cpu: the CPU.
        state: its registers.
        hooks: know what it sees.
        counters: what is done is counted there.

    Attributes:
        allowed: False: the CPU does all by itself, for somebody watches it.
    """

    def __init__(self, cpu: Cpu, state: BlobState, hooks: Hooks, counters: Counters) -> None:
        self._cpu = cpu
        self._state = state
        self._hooks = hooks
        self._counters = counters
        self.allowed = True
        self._next = -1
        self._others: set[int] = set()  # code that writes likewise, and is something else
        self._known: dict[tuple[int, int], tuple[int, StringInstruction]] = {}
        self._known_in: tuple[AddressSpace, int] | None = None
        cpu.leaving.between_blocks = self._go_on

    def page_write(
        self, plans: dict[int, Any], address: int, size: int
    ) -> Callable[[int, int], object] | None:
        """Return what writes to something like memory, and look whether more of it is to come."""
        page = page_write(plans, address, size)
        if address == self._next and (page is not None or size > _WIDEST):
            self._follows()
        self._next = address + size
        return page

    def _follows(self) -> None:
        """Hear of a write to the address behind the last one's: it may be one that repeats itself.

        The instruction pointer is where the block of code begins, and such an instruction is a
        block of its own.
        """
        if self._code_address() not in self._others:
            self._cpu.leaving.call()

    def _go_on(self) -> None:
        """Go on with what the CPU stands at; called between two blocks of code."""
        try:
            code = self._code_address()
            if code in self._others or not self._may():
                return
            try:
                found = self._instruction(code)
            except GuestFault:  # its page has gone from the tables, and is in the TLB yet
                return
            if found is None:
                self._pass_over(code)
            elif self._left(found) >= _LEAST:
                self._go_on_with(code, found)
        except BaseException as error:  # noqa: BLE001 - raised again when the CPU has left
            self._hooks.fail(error)

    def _go_on_with(self, code: int, found: StringInstruction) -> None:
        from guestmap.accel.unicorn.string_run import do_at_once, do_one, find_run

        memory, size, accesses = self._hooks.memory, found.size, self._accesses(found)
        run = accesses and find_run(memory, *accesses, size, min(size, _WIDEST))
        if run is None:
            self._pass_over(code)
            return
        value, counters, done = self._value(size), self._counters, 0
        self._hooks.in_device = True
        try:
            if do_at_once(memory, run, size, value):
                done = run.elements
            while done < run.elements:
                done += 1
                do_one(memory, run, (done - 1) * size, size, value)
        finally:
            self._hooks.in_device = False
            self._note(done, found)
            self._next = run.target + done * size
            counters.strings += bool(done)
            counters.mmio_writes += done
            if run.come is not None and not run.come.reads_directly:
                counters.mmio_reads += done

    def _pass_over(self, code: int) -> None:
        """Call no more for code that is there."""
        if len(self._others) >= _MOST_OTHERS:
            self._others.clear()
        self._others.add(code)

    def _may(self) -> bool:
        """Tell whether nobody hears of each access."""
        return self.allowed and self._hooks.hear_read is None

    def _left(self, found: StringInstruction) -> int:
        return self._state.wide_general(ECX) & found.mask

    # -- what is to be done ------------------------------------------------------------------------

    def _accesses(self, found: StringInstruction) -> tuple[int, int | None, int] | None:
        """Return from the registers what can be done in one go; None: nothing, ever.

        That is the physical addresses that it writes to and reads from, and how many elements.
        """
        state, (segment, size, mask, _) = self._state, found
        if state.eflags & (_DF | TF):
            return None
        to, come = state.wide_general(EDI) & mask, state.wide_general(ESI) & mask
        room = mask + 1 - (to if segment is None else max(to, come))
        count = min(self._left(found), room // size, _MOST)
        target, source = self._linear(ES, to), None
        if segment is not None:
            source = self._linear(segment, come)
        if not self._cpu.is_flat():
            if state.cpl == _USER:
                return None
            last = max(target % PAGE, 0 if source is None else source % PAGE)
            count = min(count, (PAGE - last) // size)
            try:
                target = self._cpu.linear.physical(target, write=True)
                if source is not None:
                    source = self._cpu.linear.physical(source, write=False)
            except GuestFault:
                count = 0
            if target != self._next:  # the CPU has not been there yet
                count = 0
        return target, source, count

    def _linear(self, segment: int, offset: int) -> int:
        state = self._state
        if self._bits() == 64:
            base = state.base(segment) if segment in (FS, GS) else 0
            return base + offset & (1 << 64) - 1
        return state.base(segment) + offset & 0xFFFFFFFF

    # -- doing it ----------------------------------------------------------------------------------

    def _value(self, size: int) -> bytes:
        return (self._state.wide_general(EAX) & (1 << 8 * size) - 1).to_bytes(size, "little")

    def _note(self, done: int, found: StringInstruction) -> None:
        """Have the registers say how far it has come; the instruction's own address stays."""
        segment, size, mask, _ = found
        state = self._state
        for register, step in (ECX, -1), (EDI, size), (ESI, 0 if segment is None else size):
            before = state.wide_general(register)
            kept = 0 if mask == _32_BITS else before & ~mask
            state.set_wide_general(register, kept | before + step * done & mask)

    # -- which instruction it is -------------------------------------------------------------------

    def _code_address(self) -> int:
        """Return the linear address of the block of code."""
        state = self._state
        if state.long_mode:
            return state.pc
        return state.base(CS) + state.eip & 0xFFFFFFFF

    def _bits(self) -> int:
        """Return the width of the code segment: 16, 32 or 64."""
        flags = self._state.segment(CS).flags
        if flags & DESC_LONG and self._state.long_mode:
            return 64
        return 32 if flags & DESC_BIG else 16

    def _instruction(self, code: int) -> StringInstruction | None:
        """Return what the CPU stands at, if it is REP MOVS or REP STOS.

        What was there before is known again by its first bytes, while the view is the same.
        """
        memory, bits = self._hooks.memory, self._bits()
        begin = code if self._cpu.is_flat() else self._cpu.linear.physical(code, write=False)
        view = memory.source.view.generation
        if self._known_in != (memory, view) or len(self._known) > _MOST_OTHERS:
            self._known.clear()
            self._known_in = memory, view
        known = self._known.get((begin, bits))
        if known is not None and memory.load(begin, _KNOWN_BY) == known[0]:
            return known[1]
        from guestmap.accel.unicorn.string_instruction import LONGEST, decoded

        end = min(begin + LONGEST, (begin & -PAGE) + PAGE)
        if not self._hooks.is_memory(begin):
            return None
        found = decoded(memory.read(begin, end - begin), bits)
        if found is not None and found.length <= _KNOWN_BY <= end - begin:
            self._known[begin, bits] = memory.load(begin, _KNOWN_BY), found
        return found
