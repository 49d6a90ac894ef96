"""Registers of an instance, and of a copy of them, through Unicorn's C interface."""

from __future__ import annotations

import ctypes
from typing import Any

from guestmap.accel.unicorn.binding import U32, U64, P, check, uclib, x86


class _Table(ctypes.Structure):
    _fields_ = (("selector", ctypes.c_uint16), ("base", U64), ("limit", U32), ("flags", U32))


class Msr(ctypes.Structure):
    """A model specific register: which, 32 bits, and what it holds, 64."""

    _fields_ = (("number", U32), ("value", U64))


class _Float(ctypes.Structure):
    _fields_ = (("significand", U64), ("exponent", ctypes.c_uint16))


class _Vector(ctypes.Structure):
    _fields_ = (("words", U64 * 2),)


_TABLES = {x86.UC_X86_REG_IDTR, x86.UC_X86_REG_GDTR, x86.UC_X86_REG_LDTR, x86.UC_X86_REG_TR}
_FLOATS = range(x86.UC_X86_REG_FP0, x86.UC_X86_REG_FP7 + 1)
_VECTORS = range(x86.UC_X86_REG_XMM0, x86.UC_X86_REG_XMM31 + 1)
_MASK = (1 << 64) - 1


class UcRegisters:
    """Registers by their numbers: tables are four numbers, x87 registers two, the rest one."""

    def _get(self, register: int, into: Any) -> None:
        raise NotImplementedError

    def _set(self, register: int, value: Any) -> None:
        raise NotImplementedError

    def reg_read(self, register: int) -> Any:
        """Return a register."""
        if register in _TABLES:
            self._get(register, table := _Table())
            return table.selector, table.base, table.limit, table.flags
        if register in _FLOATS:
            self._get(register, number := _Float())
            return number.significand, number.exponent
        if register in _VECTORS:
            self._get(register, vector := _Vector())
            return vector.words[0] | vector.words[1] << 64
        self._get(register, value := U64())
        return value.value

    def reg_write(self, register: int, value: Any) -> None:
        """Set a register."""
        if register in _TABLES:
            self._set(register, _Table(*value))
        elif register in _FLOATS:
            self._set(register, _Float(*value))
        elif register in _VECTORS:
            self._set(register, _Vector((value & _MASK, value >> 64)))
        else:
            self._set(register, U64(value))


class UcContext(UcRegisters):
    """A copy of an instance's registers.

    Attributes:
        context: its address.
        size: its bytes.
    """

    def __init__(self, instance: Any) -> None:
        self.context = P()
        self.size: int = uclib.uc_context_size(instance)
        self._free = uclib.uc_context_free
        check(uclib.uc_context_alloc(instance, ctypes.byref(self.context)))

    def __del__(self) -> None:
        """Free it."""
        if getattr(self, "context", None):
            self._free(self.context)

    def _get(self, register: int, into: Any) -> None:
        check(uclib.uc_context_reg_read(self.context, register, ctypes.byref(into)))

    def _set(self, register: int, value: Any) -> None:
        check(uclib.uc_context_reg_write(self.context, register, ctypes.byref(value)))
