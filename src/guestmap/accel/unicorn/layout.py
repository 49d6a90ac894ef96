"""Where Unicorn keeps what its register interface does not show.

A saved context is a copy of the library's CPU structure, whose layout is private and changes
between builds. The offsets of the fields that an engine cannot do without are found by experiment
on a fresh instance: write a value that occurs nowhere else, or make the CPU do something, and see
where it shows. A field that does not show in exactly one place makes :func:`probe` give up, and
the engine does without (see :class:`guestmap.accel.types.Capabilities`).
"""

from __future__ import annotations

import ctypes
import struct
from typing import Any

from guestmap.accel.unicorn.binding import UcError, uc_api, x86
from guestmap.accel.unicorn.uc import Uc
from guestmap.base.dataclass import dataclass

SCRATCH = 1 << 51
"""Address of the engine's own pages: beyond the 40 bits of a physical address that a guest has."""

SEGMENT_SIZE = 24
"""Bytes of a segment register: selector, padding, base (8 bytes), limit, flags."""

_CODE = 0x1000
_REAL_MODE = 0x10
_PROTECTED_MODE = 0x11
_TASK_SWITCHED = 0x8
_HFLAGS_TS = 1 << 11
_MSR_VM_HSAVE_PA = 0xC0010117


@dataclass(frozen=True, slots=True)
class Layout:
    """Byte offsets into a saved context.

    Attributes:
        size: bytes in a saved context.
        registers: EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI, 8 bytes each.
        eip, eflags: 8 bytes each; arithmetic flags are kept elsewhere while the CPU runs.
        hflags: 4 bytes: the mode that code is translated for.
        segments: ES, CS, SS, DS, FS, GS, LDTR, TR, GDTR, IDTR, ``SEGMENT_SIZE`` bytes each.
        cr: CR0 to CR8, 8 bytes each.
        a20_mask: 4 bytes, ANDed to every physical address.
        error_code, is_int, next_eip: of the last exception: 4, 4 and 8 bytes.
        old_exception: 4 bytes: the exception that is being delivered, or -1.
        hsave: 8 bytes: the address of the SVM host save area.
    """

    size: int
    registers: int
    eip: int
    eflags: int
    hflags: int
    segments: int
    cr: int
    a20_mask: int
    error_code: int
    is_int: int
    next_eip: int
    old_exception: int
    hsave: int


class _AmbiguousError(Exception):
    """A field shows nowhere, or in more than one place."""


def open_cpu(cpu_model: int) -> Any:
    """Return a Unicorn instance in 32-bit mode that stops at no address."""
    uc = Uc(uc_api.UC_ARCH_X86, uc_api.UC_MODE_32)
    uc.ctl_set_cpu_model(cpu_model)
    uc.ctl_exits_enabled(True)
    return uc


def context_bytes(context: Any) -> Any:
    """Return the memory of a saved context, to read and to write."""
    address = ctypes.cast(context.context, ctypes.c_void_p).value
    return memoryview((ctypes.c_ubyte * context.size).from_address(address)).cast("B")


def probe(cpu_model: int) -> Layout | None:
    """Find the layout of this build of Unicorn; None where it cannot be told for sure."""
    try:
        return _Probe(cpu_model).layout()
    except (_AmbiguousError, UcError):
        return None


class _Probe:
    """One experiment after the other, on an instance of its own."""

    def __init__(self, cpu_model: int) -> None:
        self._uc = open_cpu(cpu_model)
        self._uc.mem_map(0, 0x4000)
        self._uc.reg_write(x86.UC_X86_REG_CR0, _REAL_MODE)
        self._context = self._uc.context_save()
        self._faults: list[bytes] = []

    def layout(self) -> Layout:
        uc = self._uc
        marks = {
            x86.UC_X86_REG_EAX: 0x1A2B3C01, x86.UC_X86_REG_ECX: 0x1A2B3C02,
            x86.UC_X86_REG_EDI: 0x1A2B3C08, x86.UC_X86_REG_EIP: 0x1A2B3C11,
            x86.UC_X86_REG_CR2: 0x1A2B3C22, x86.UC_X86_REG_CR3: 0x1A2B3000,
        }  # fmt: skip
        for register, value in marks.items():
            uc.reg_write(register, value)
        for index, register in enumerate(_SEGMENTS):
            uc.reg_write(register, 0x1A20 + index)
        uc.reg_write(x86.UC_X86_REG_IDTR, (0, 0x1A2B4000, 0x1A2B, 0))
        uc.msr_write(_MSR_VM_HSAVE_PA, SCRATCH + 0x1A2B)
        data = self._save()
        at = {register: _only(data, struct.pack("<Q", v)) for register, v in marks.items()}
        registers, eip, cr = at[x86.UC_X86_REG_EAX], at[x86.UC_X86_REG_EIP], 0
        cr = at[x86.UC_X86_REG_CR2] - 16
        segments = _only(data, struct.pack("<IIQ", 0x1A20, 0, 0x1A200))
        _require(at[x86.UC_X86_REG_ECX] == registers + 8)
        _require(at[x86.UC_X86_REG_EDI] == registers + 56)
        _require(at[x86.UC_X86_REG_CR3] == cr + 24)
        for index in range(6):
            mark = struct.pack("<IIQ", 0x1A20 + index, 0, 0x1A200 + index * 16)
            _require(_only(data, mark) == segments + index * SEGMENT_SIZE)
        idtr = segments + 9 * SEGMENT_SIZE
        _require(data[idtr + 8 : idtr + 20] == struct.pack("<QI", 0x1A2B4000, 0x1A2B))
        a20_mask = cr + 72
        _require(data[a20_mask : a20_mask + 4] == b"\xff\xff\xff\xff")
        hsave = _only(data, struct.pack("<Q", SCRATCH + 0x1A2B))
        eflags = _only_change(data, self._with_eflags(0x202), 0x200)
        _require(eflags == eip + 8)
        error_code, old_exception, is_int = self._exceptions()
        return Layout(
            size=len(data),
            registers=registers,
            eip=eip,
            eflags=eflags,
            hflags=self._hflags(),
            segments=segments,
            cr=cr,
            a20_mask=a20_mask,
            error_code=error_code,
            is_int=is_int,
            next_eip=is_int + 4,
            old_exception=old_exception,
            hsave=hsave,
        )

    def _save(self) -> bytes:
        self._uc.context_update(self._context)
        return bytes(context_bytes(self._context))

    def _with_eflags(self, value: int) -> bytes:
        self._uc.reg_write(x86.UC_X86_REG_EFLAGS, value)
        return self._save()

    def _hflags(self) -> int:
        """CR0.TS has a twin in hflags: the only other word that it changes."""
        self._uc.reg_write(x86.UC_X86_REG_CR0, _REAL_MODE)
        before = self._save()
        self._uc.reg_write(x86.UC_X86_REG_CR0, _REAL_MODE | _TASK_SWITCHED)
        after = self._save()
        self._uc.reg_write(x86.UC_X86_REG_CR0, _REAL_MODE)
        return _only_change(before, after, _HFLAGS_TS)

    def _exceptions(self) -> tuple[int, int, int]:
        """Two #GP with known error codes, a #DE and an INT n tell the four fields apart."""
        uc = self._uc
        uc.hook_add(uc_api.UC_HOOK_INTR, self._on_fault)
        for register in _SEGMENTS:
            uc.reg_write(register, 0)
        uc.reg_write(x86.UC_X86_REG_GDTR, (0, 0, 0, 0))
        uc.reg_write(x86.UC_X86_REG_CR0, _PROTECTED_MODE)
        before = self._save()
        seen = [
            self._fault(b"\xb8\x50\x1a\x00\x00\x8e\xd8"),  # mov eax, 0x1a50; mov ds, ax
            self._fault(b"\xcd\x40"),  # int 0x40
        ]
        first, software = seen
        old_exception = _only(bytes(_word_where(before, first, 0xFFFFFFFF, 13)), b"\1") * 4
        error_code = _only(bytes(_word_where(before, first, None, 0x1A50)), b"\1") * 4
        is_int = error_code + 4
        _require(_word(first, is_int) == 0 and _word(software, is_int) == 1)
        next_eip = _word(software, is_int + 4)
        _require(next_eip == _CODE + 2)
        return error_code, old_exception, is_int

    def _fault(self, code: bytes) -> bytes:
        self._uc.mem_write(_CODE, code + b"\xf4")
        self._uc.ctl_remove_cache(_CODE, _CODE + 0x100)
        self._faults.clear()
        self._uc.emu_start(_CODE, 0)
        _require(len(self._faults) == 1)
        return self._faults[0]

    def _on_fault(self, _uc: Any, _vector: int, _data: object) -> None:
        self._faults.append(self._save())
        self._uc.emu_stop()


_SEGMENTS = (
    x86.UC_X86_REG_ES, x86.UC_X86_REG_CS, x86.UC_X86_REG_SS,
    x86.UC_X86_REG_DS, x86.UC_X86_REG_FS, x86.UC_X86_REG_GS,
)  # fmt: skip


def _require(holds: bool) -> None:
    if not holds:
        raise _AmbiguousError


def _only(data: bytes, pattern: bytes) -> int:
    """Return the one offset of ``pattern``."""
    at = data.find(pattern)
    _require(at >= 0 and data.find(pattern, at + 1) < 0)
    return at


def _word(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")


def _only_change(before: bytes, after: bytes, difference: int) -> int:
    """Return the offset of the one word in which just the bits ``difference`` changed."""
    found = [
        i for i in range(0, len(before), 4) if _word(before, i) ^ _word(after, i) == difference
    ]
    _require(len(found) == 1)
    return found[0]


def _word_where(before: bytes, after: bytes, old: int | None, new: int) -> list[bool]:
    """Tell for each word whether it became ``new`` (from ``old``, where that is given)."""
    return [
        _word(after, i) == new and _word(before, i) != new and old in {None, _word(before, i)}
        for i in range(0, len(before), 4)
    ]
