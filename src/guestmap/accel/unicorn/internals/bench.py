"""A few KiB of memory and a CPU that is put into a mode, for the trials."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from guestmap.accel.types import Segment
from guestmap.accel.unicorn.binding import UcError
from guestmap.accel.unicorn.internals.findings import MSRS
from guestmap.accel.unicorn.internals.library import Refused
from guestmap.accel.unicorn.state import CS, DS, ES, ESP, FS, GDTR, GS, IDTR, PAGING, SS
from guestmap.accel.unicorn.window import flush_tlb

if TYPE_CHECKING:
    from guestmap.accel.unicorn.internals.structures import LiveState, Structures

CODE, HANDLER, OTHER, STACK = 0x1000, 0x2000, 0x3000, 0x8000
HIGH = 1 << 32
"""Where the first 2 MiB show once more in long mode."""

_GDT, _IDT = 0x4000, 0x5000
_TOP, _POINTERS, _DIRECTORY, _TABLE = 0xA000, 0xB000, 0xC000, 0xD000
_SIZE = 0x10000
_PRESENT_WRITABLE, NO_EXECUTE = 3, 1 << 63
_REAL, _PROTECTED, _CR4_PAE = 0x10, 0x11, 0x20
_EFER_LONG, EFER_SYSCALL = 0xD00, 1  # LME, LMA, NXE
_HF_PE, _HF_CS32, _HF_SS32, _HF_LMA, _HF_CS64 = 1 << 7, 1 << 4, 1 << 5, 1 << 14, 1 << 15
_MODE_32, _MODE_64 = 4, 8
_CODE_32, _CODE_64 = Segment(8, 0, 0xFFFFFFFF, 0xCF9B00), Segment(8, 0, 0xFFFFFFFF, 0xAF9B00)
_DATA = Segment(16, 0, 0xFFFFFFFF, 0xCF9300)
_REAL_CODE, _REAL_DATA = Segment(0, 0, 0xFFFF, 0x9B00), Segment(0, 0, 0xFFFF, 0x9300)


class Bench:
    """Use it as a context manager: all is as before afterwards, but for translated code."""

    def __init__(self, uc: Any, structures: Structures, state: LiveState) -> None:
        self.uc, self.structures, self.state = uc, structures, state
        self._before = state.image()

    def __enter__(self) -> Self:
        self.uc.mem_map(0, _SIZE)
        return self

    def __exit__(self, *_error: object) -> None:
        self.state.restore(self._before)
        self.structures.mode.value = _MODE_32
        self.structures.halted.value = 0
        with suppress(UcError):
            self.uc.mem_unmap(0, _SIZE)
        self.forget_code()

    def forget_code(self) -> None:
        """Drop all translated code, and what the TLB has."""
        self.uc.ctl_flush_tb()
        flush_tlb(self.uc)

    # -- modes -------------------------------------------------------------------------------------

    def real(self, code: bytes) -> None:
        """Put the CPU at ``code`` in real mode, interrupts off, all segments 0."""
        self._start(code)
        state = self.state
        state.set_control(0, _REAL)
        state.hflags &= ~(_HF_PE | _HF_LMA | _HF_CS64)
        self._set_segments(_REAL_CODE, _REAL_DATA)
        state.set_table(IDTR, 0, 0x3FF)

    def protected(self, code: bytes) -> None:
        """Put the CPU at ``code`` in flat 32-bit protected mode."""
        self._start(code)
        self.state.set_control(0, _PROTECTED)
        self.state.hflags = self.state.hflags & ~(_HF_LMA | _HF_CS64) | _HF_PE
        self._set_tables()
        self._set_segments(_CODE_32, _DATA)

    def long(self, code: bytes, *, efer: int = 0, at: int = HIGH + CODE) -> None:
        """Put the CPU at ``code`` in 64-bit mode, with the first 2 MiB at 0 and at ``HIGH``."""
        self._start(code)
        state, bench = self.state, self.uc
        bench.mem_write(_TOP, _entry(_POINTERS))
        bench.mem_write(_POINTERS, _entry(_DIRECTORY) + bytes(24) + _entry(_DIRECTORY))
        bench.mem_write(_DIRECTORY, _entry(_TABLE))
        bench.mem_write(_TABLE, struct.pack("<512Q", *range(_PRESENT_WRITABLE, 512 << 12, 1 << 12)))
        self.structures.msr(MSRS["EFER"]).value = _EFER_LONG | efer
        state.set_control(3, _TOP)
        state.set_control(4, _CR4_PAE)
        state.set_control(0, _PROTECTED | PAGING)
        state.hflags |= _HF_PE | _HF_LMA
        self._set_tables()
        self._set_segments(_CODE_64, _DATA)
        state.hflags |= _HF_CS32 | _HF_SS32 | _HF_CS64
        self.structures.field(state.layout.eip).value = at
        self.structures.mode.value = _MODE_64

    def show(self, linear: int, physical: int, bits: int = 0) -> None:
        """Have a page show at another linear address below 2 MiB, in long mode."""
        self.uc.mem_write(_TABLE + (linear >> 12) * 8, _entry(physical, bits))

    def _start(self, code: bytes) -> None:
        self.uc.mem_write(CODE, code)
        self.uc.ctl_flush_tb()
        self.state.restore(self._before)
        self.structures.mode.value = _MODE_32
        self.state.eip = CODE
        self.state.eflags = 2
        self.state.set_general(ESP, STACK)

    def _set_segments(self, code: Segment, data: Segment) -> None:
        for index in (ES, SS, DS, FS, GS):
            self.state.set_segment(index, data)
        self.state.set_segment(CS, code)
        flush_tlb(self.uc)

    def _set_tables(self) -> None:
        self.uc.mem_write(_GDT, bytes(8) + _descriptor(_CODE_32) + _descriptor(_DATA))
        if self.state.hflags & _HF_LMA:
            self.uc.mem_write(_GDT + 8, _descriptor(_CODE_64))
        self.state.set_table(GDTR, _GDT, 0x17)
        self.state.set_table(IDTR, _IDT, 0xFFF)

    def grow_tlb(self) -> None:
        """Have the TLB grow, as it does when it is flushed after most of it was in use.

        At first it has 256 places, and pages 1 MiB apart have to share one: firmware that copies
        itself from below 4 GiB to below 1 MiB would do without it for each byte.
        """
        count, first = 250, _SIZE >> 12
        # mov ecx, count; mov esi, first; mov al, [rsi]; add esi, 1000h; loop $-8; hlt
        start = b"\xb9" + struct.pack("<I", count) + b"\xbe" + struct.pack("<I", first << 12)
        self.long(start + b"\x8a\x06\x81\xc6\x00\x10\x00\x00\xe2\xf6\xf4")
        self.uc.mem_write(_TABLE + first * 8, _entry(OTHER) * count)
        self.run()
        flush_tlb(self.uc)

    # -- handlers ----------------------------------------------------------------------------------

    def handler(self, vector: int, code: bytes) -> None:
        """Set an exception's handler, in whichever mode the CPU is."""
        at = HANDLER + vector * 0x40
        self.uc.mem_write(at, code)
        if not self.state.hflags & _HF_PE:
            self.uc.mem_write(vector * 4, struct.pack("<HH", at, 0))
        elif self.state.hflags & _HF_LMA:
            gate = struct.pack("<HHHHII", at, 8, 0x8E00, 0, HIGH >> 32, 0)
            self.uc.mem_write(_IDT + vector * 16, gate)
        else:
            self.uc.mem_write(_IDT + vector * 8, struct.pack("<HHHH", at, 8, 0x8E00, 0))

    # -- running -----------------------------------------------------------------------------------

    def run(self) -> None:
        """Run until HLT.

        Raises:
            Refused: it stops for anything else.
        """
        self.structures.halted.value = 0
        self.uc.emu_start(self.state.pc, 0)
        if not self.structures.halted.value:
            raise Refused(f"it stopped at {self.state.pc:#x}")

    def words(self, address: int, count: int) -> tuple[int, ...]:
        """Return 32-bit words of memory."""
        return struct.unpack(f"<{count}I", self.uc.mem_read(address, 4 * count))


def _entry(physical: int, bits: int = 0) -> bytes:
    return struct.pack("<Q", physical | _PRESENT_WRITABLE | bits)


def _descriptor(segment: Segment) -> bytes:
    return struct.pack("<II", 0xFFFF, segment.flags | 0xF0000)
