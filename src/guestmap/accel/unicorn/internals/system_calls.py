"""SYSCALL and SYSENTER, which the library only tells a hook, and skips.

What they do: Intel SDM volume 2, "SYSCALL", "SYSENTER"; AMD APM volume 3. Their ways back (SYSRET,
SYSEXIT) are the library's own. The hook is machine code round a Python function, which says whether
the instruction faults: a fault leaves the library by longjmp, where no Python may be on the way.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from guestmap.accel.types import Segment
from guestmap.accel.unicorn.binding import uc_api, x86
from guestmap.accel.unicorn.internals.findings import MSRS
from guestmap.accel.unicorn.internals.library import Refused
from guestmap.accel.unicorn.internals.machine_code import (
    ALIGN,
    JNE,
    RET,
    UNALIGN,
    MachineCode,
    call,
    jump,
    load,
    unless,
)
from guestmap.accel.unicorn.state import CS, ECX, ESP, IF, PROTECTION, RF, SS, VM

if TYPE_CHECKING:
    from guestmap.accel.unicorn.internals.structures import LiveState, Structures

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p)
_NO_FAULT, _INVALID_OPCODE, _GENERAL_PROTECTION = 0, 6, 13
_LENGTH = 2
"""Of both instructions: the library adds it to RIP afterwards."""

_R11 = 11
_EFER_SCE = 1
_HF_CPL, _HF_CS32, _HF_SS32, _HF_ADDSEG, _HF_LMA, _HF_CS64 = (
    3, 1 << 4, 1 << 5, 1 << 6, 1 << 14, 1 << 15,
)  # fmt: skip
_CODE_64, _CODE_32, _DATA = 0x00AF9B00, 0x00CF9B00, 0x00CF9300


class SystemCalls:
    """The two instructions of one instance.

    Attributes:
        count: how often they were executed.

    Raises:
        Refused: the registers that they use were not found.
    """

    def __init__(self, structures: Structures, code: MachineCode, state: LiveState) -> None:
        if not structures.findings.msrs:
            raise Refused("the registers of SYSCALL were not found")
        self._structures, self._code, self._state = structures, code, state
        self._msr = {name: structures.msr(number) for name, number in MSRS.items()}
        self._rip = structures.field(structures.findings.layout.eip)
        self._rcx, self._r11 = structures.register(ECX), structures.register(_R11)
        self._rsp = structures.register(ESP)
        self.count = 0
        self._callbacks = (_CALLBACK(self._syscall), _CALLBACK(self._sysenter))

    def install(self, uc: Any) -> list[int]:
        """Take over from here; return the hooks."""
        hooks = []
        for callback, which in zip(
            self._callbacks, (x86.UC_X86_INS_SYSCALL, x86.UC_X86_INS_SYSENTER), strict=True
        ):
            address = ctypes.cast(callback, ctypes.c_void_p).value or 0
            hook = self._code.put(self._hook(address))
            hooks.append(self._code.hook(uc, uc_api.UC_HOOK_INSN, hook, which))
        return hooks

    def _hook(self, callback: int) -> bytes:
        """Return code that calls Python and, where that returns a vector, raises the fault."""
        library = self._structures.library
        fault = b"\x89\xc6\x31\xd2\x31\xc9"  # mov esi, eax; xor edx, edx; xor ecx, ecx
        fault += load("rdi", self._structures.registers)
        fault += jump(library.function("raise_exception_err_ra"))
        return b"".join((
            ALIGN, call(callback), UNALIGN,
            b"\x85\xc0", unless(JNE, RET),  # test eax, eax: no fault
            fault,
        ))  # fmt: skip

    def _syscall(self, _uc: int | None) -> int:
        self.count += 1
        state, msr = self._state, self._msr
        if not msr["EFER"].value & _EFER_SCE:
            return _INVALID_OPCODE
        star, flags = msr["STAR"].value, state.eflags
        hflags = state.hflags
        long_mode = bool(hflags & _HF_LMA)
        self._rcx.value = self._rip.value + _LENGTH
        if long_mode:
            self._r11.value = flags & ~RF
            state.eflags = flags & ~(msr["FMASK"].value & 0xFFFFFFFF | RF)
            target = msr["LSTAR" if hflags & _HF_CS64 else "CSTAR"].value
        else:
            state.eflags = flags & ~(IF | RF | VM)
            target = star & 0xFFFFFFFF
        self._enter(star >> 32 & 0xFFFF, target, long_mode)
        return _NO_FAULT

    def _sysenter(self, _uc: int | None) -> int:
        self.count += 1
        state, msr = self._state, self._msr
        selector = msr["SYSENTER_CS"].value & 0xFFFF
        if not selector & ~3 or not state.control(0) & PROTECTION:
            return _GENERAL_PROTECTION
        state.eflags = state.eflags & ~(VM | IF | RF)
        self._rsp.value = msr["SYSENTER_ESP"].value
        self._enter(selector, msr["SYSENTER_EIP"].value, bool(state.hflags & _HF_LMA))
        return _NO_FAULT

    def _enter(self, selector: int, target: int, long_mode: bool) -> None:
        """Go on at level 0 with flat segments, of 64 bits in long mode."""
        state = self._state
        kind = _CODE_64 if long_mode else _CODE_32
        state.set_segment(CS, Segment(selector & 0xFFFC, 0, 0xFFFFFFFF, kind))
        state.set_segment(SS, Segment(selector + 8 & 0xFFFC, 0, 0xFFFFFFFF, _DATA))
        hflags = state.hflags & ~(_HF_CPL | _HF_CS64) | _HF_CS32 | _HF_SS32
        if long_mode:
            hflags = hflags & ~_HF_ADDSEG | _HF_CS64
        state.hflags = hflags
        mask = (1 << 64 if long_mode else 1 << 32) - 1
        self._rip.value = target - _LENGTH & mask
