"""The CPU's registers, hidden parts included, as fields of a saved context.

:mod:`guestmap.accel.unicorn.layout` found out where they are.
"""

from __future__ import annotations

import struct
from typing import Any

from guestmap.accel.types import Segment
from guestmap.accel.unicorn.binding import x86
from guestmap.accel.unicorn.layout import SEGMENT_SIZE, Layout, context_bytes
from guestmap.accel.unicorn.state import (
    CS,
    DESC_BIG,
    DESC_DPL_SHIFT,
    DS,
    ES,
    IF,
    PROTECTION,
    SS,
    TR,
    VM,
)

_HF_CPL, _HF_INHIBIT_IRQ, _HF_CS32, _HF_SS32, _HF_ADDSEG = 3, 1 << 3, 1 << 4, 1 << 5, 1 << 6
LONG_MODE = 1 << 14
"""The bit of hflags that tells long mode."""

_TSS_BUSY = 1 << 9
_LAST_EXCEPTION_NONE = 0xFFFFFFFF
_DOUBLE_FAULT = 8
_SEGMENT, _BASE_AT = struct.Struct("<IIQII"), 8
_FOUR = struct.Struct("<I4xI4xI4xI4x")
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")


class BlobState:
    """A saved context: :meth:`load` it, change it, :meth:`save` it."""

    complete = True

    def __init__(self, uc: Any, layout: Layout) -> None:
        self._uc = uc
        self.layout = layout
        self.context = uc.context_save()
        self.data = context_bytes(self.context)

    def load(self) -> None:
        """Copy from the CPU."""
        self._uc.context_update(self.context)

    def save(self) -> None:
        """Copy to the CPU, and forget the exception that was being delivered.

        Unicorn itself never does, and takes the next fault for a double fault (unicorn issue 1883).
        """
        self.forget_exception()
        self._uc.context_restore(self.context)

    def forget_exception(self) -> None:
        """Note that no exception is being delivered, and that the last one was no INT n."""
        _U32.pack_into(self.data, self.layout.old_exception, _LAST_EXCEPTION_NONE)
        _U32.pack_into(self.data, self.layout.is_int, 0)

    def image(self) -> bytes:
        """Return a copy of everything."""
        return bytes(self.data)

    def restore(self, image: bytes) -> None:
        """Make everything as it was, and :meth:`save` it."""
        self.data[:] = image
        self.save()

    def general(self, index: int) -> int:
        """Return the low 32 bits of a general register."""
        return self._u32(self.layout.registers + 8 * index)

    def arguments(self) -> tuple[int, int, int, int]:
        """Return the low 32 bits of EAX, ECX, EDX and EBX."""
        found: tuple[int, int, int, int] = _FOUR.unpack_from(self.data, self.layout.registers)
        return found

    def set_general(self, index: int, value: int) -> None:
        """Set a general register."""
        _U64.pack_into(self.data, self.layout.registers + 8 * index, value & 0xFFFFFFFF)

    def wide_general(self, index: int) -> int:
        """Return all 64 bits of a general register."""
        return self._u64(self.layout.registers + 8 * index)

    def set_wide_general(self, index: int, value: int) -> None:
        """Set all 64 bits of a general register."""
        _U64.pack_into(self.data, self.layout.registers + 8 * index, value)

    @property
    def pc(self) -> int:
        """Where a run begins: the instruction pointer."""
        return self.eip

    def set_pc(self, value: int) -> None:
        """Set all 64 bits of the instruction pointer."""
        _U64.pack_into(self.data, self.layout.eip, value)

    @property
    def eip(self) -> int:
        """The instruction pointer, the low 32 bits."""
        return self._u32(self.layout.eip)

    @eip.setter
    def eip(self, value: int) -> None:
        _U64.pack_into(self.data, self.layout.eip, value & 0xFFFFFFFF)

    @property
    def eflags(self) -> int:
        """All flags; the arithmetic ones are worked out, which costs microseconds."""
        return int(self.context.reg_read(x86.UC_X86_REG_EFLAGS))

    @eflags.setter
    def eflags(self, value: int) -> None:
        self.context.reg_write(x86.UC_X86_REG_EFLAGS, value | 2)

    def control(self, index: int) -> int:
        """Return a control register."""
        return self._u32(self.layout.cr + 8 * index)

    def wide_control(self, index: int) -> int:
        """Return all 64 bits of a control register."""
        return self._u64(self.layout.cr + 8 * index)

    def set_control(self, index: int, value: int) -> None:
        """Set a control register, without any of its effects on other fields."""
        _U64.pack_into(self.data, self.layout.cr + 8 * index, value)

    def set_cr2(self, address: int) -> None:
        """Set the address of a page fault."""
        self.set_control(2, address)

    def segment(self, index: int) -> Segment:
        """Return a segment register."""
        offset = self.layout.segments + index * SEGMENT_SIZE
        selector, _, base, limit, flags = _SEGMENT.unpack_from(self.data, offset)
        return Segment(selector & 0xFFFF, base, limit, flags)

    def base(self, index: int) -> int:
        """Return the base of a segment register."""
        return self._u64(self.layout.segments + index * SEGMENT_SIZE + _BASE_AT)

    def set_segment(self, index: int, segment: Segment) -> None:
        """Set a segment register and what follows from it for the translated code."""
        selector, base, limit, flags = segment
        if index == TR:
            # The CPU keeps the flags from before it marked the descriptor as busy, and checks that.
            flags &= ~_TSS_BUSY
        offset = self.layout.segments + index * SEGMENT_SIZE
        _SEGMENT.pack_into(self.data, offset, selector, 0, base, limit, flags)
        hflags = self.hflags
        if index == CS:
            hflags = hflags & ~_HF_CS32 | (_HF_CS32 if flags & DESC_BIG else 0)
        elif index == SS:
            hflags = hflags & ~(_HF_SS32 | _HF_CPL) | (flags >> DESC_DPL_SHIFT & 3)
            hflags |= _HF_SS32 if flags & DESC_BIG else 0
        self.hflags = hflags
        self._update_address_mode()

    def set_raw_segment(self, index: int, segment: Segment) -> None:
        """Set a segment register and nothing of what follows from it."""
        selector, base, limit, flags = segment
        offset = self.layout.segments + index * SEGMENT_SIZE
        _SEGMENT.pack_into(self.data, offset, selector, 0, base, limit, flags)

    def set_table(self, index: int, base: int, limit: int) -> None:
        """Set a descriptor table register with a base of up to 64 bits."""
        offset = self.layout.segments + index * SEGMENT_SIZE
        _SEGMENT.pack_into(self.data, offset, 0, 0, base, limit, 0)

    def _update_address_mode(self) -> None:
        """Segment bases count, unless DS, ES and SS are flat in 32-bit protected mode."""
        flat = (
            self.control(0) & PROTECTION
            and not self._u32(self.layout.eflags) & VM
            and self.hflags & _HF_CS32
            and not any(self.segment(i).base for i in (DS, ES, SS))
        )
        self.hflags = self.hflags & ~_HF_ADDSEG if flat else self.hflags | _HF_ADDSEG

    @property
    def hflags(self) -> int:
        """The mode that code is translated for."""
        return self._u32(self.layout.hflags)

    @hflags.setter
    def hflags(self, value: int) -> None:
        _U32.pack_into(self.data, self.layout.hflags, value)

    @property
    def interruptible(self) -> bool:
        """IF, and not right after STI or MOV SS."""
        return bool(self._u32(self.layout.eflags) & IF) and not self.hflags & _HF_INHIBIT_IRQ

    @property
    def error_code(self) -> int:
        """The error code of the last exception."""
        return self._u32(self.layout.error_code)

    @property
    def software_return(self) -> int | None:
        """The instruction after INT n, where the last exception is one."""
        return self._u32(self.layout.next_eip) if self._u32(self.layout.is_int) else None

    @property
    def in_double_fault(self) -> bool:
        """Whether a double fault is being delivered."""
        return self._u32(self.layout.old_exception) == _DOUBLE_FAULT

    @property
    def cpl(self) -> int:
        """The privilege level."""
        return self.hflags & _HF_CPL

    @property
    def long_mode(self) -> bool:
        """Whether the CPU is in 64-bit or compatibility mode."""
        return bool(self.hflags & LONG_MODE)

    @property
    def a20_mask(self) -> int:
        """What every physical address is ANDed with."""
        return self._u32(self.layout.a20_mask)

    @a20_mask.setter
    def a20_mask(self, value: int) -> None:
        _U32.pack_into(self.data, self.layout.a20_mask, value)

    def set_u64(self, offset: int, value: int) -> None:
        """Set 8 bytes of the context."""
        _U64.pack_into(self.data, offset, value)

    def _u64(self, offset: int) -> int:
        value: int = _U64.unpack_from(self.data, offset)[0]
        return value

    def _u32(self, offset: int) -> int:
        value: int = _U32.unpack_from(self.data, offset)[0]
        return value
