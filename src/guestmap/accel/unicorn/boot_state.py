"""The state of a CPU after RESET# (Intel SDM, volume 3, table 9-1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.accel.types import Segment
from guestmap.accel.unicorn.binding import x86
from guestmap.accel.unicorn.blob_state import BlobState
from guestmap.accel.unicorn.register_state import RegisterState
from guestmap.accel.unicorn.state import CS, DS, EDX, ES, FS, GDTR, GS, IDTR, LDTR, SS, TR

if TYPE_CHECKING:
    from guestmap.accel.unicorn.layout import Layout

RESET_EIP = 0xFFF0
_CODE = Segment(0xF000, 0xFFFF0000, 0xFFFF, 0x9B00)
_DATA = Segment(0, 0, 0xFFFF, 0x9300)
_TABLES = {
    LDTR: Segment(0, 0, 0xFFFF, 0x8200),
    TR: Segment(0, 0, 0xFFFF, 0x8900),  # "available": Unicorn aborts the process over a busy one
    GDTR: Segment(0, 0, 0xFFFF),
    IDTR: Segment(0, 0, 0xFFFF),
}

_REAL_MODE = 0x10
_CR0 = 0x60000010
_REGISTERS = {
    x86.UC_X86_REG_CR0: _REAL_MODE,
    x86.UC_X86_REG_CR2: 0,
    x86.UC_X86_REG_CR3: 0,
    x86.UC_X86_REG_CR4: 0,
    x86.UC_X86_REG_EFLAGS: 2,
    x86.UC_X86_REG_FPCW: 0x037F,
    x86.UC_X86_REG_FPTAG: 0xFFFF,
    x86.UC_X86_REG_MXCSR: 0x1F80,
}
_CPUID = b"\xb8\x01\x00\x00\x00\x0f\xa2\xf4"  # mov eax, 1; cpuid; hlt


def cpu_signature(uc: Any) -> int:
    """Return family, model and stepping, which EDX holds after a reset (CPUID leaf 1, EAX)."""
    uc.mem_map(0, 0x1000)
    uc.mem_write(0, _CPUID)
    uc.emu_start(0, 0)
    signature = int(uc.reg_read(x86.UC_X86_REG_EAX))
    uc.mem_unmap(0, 0x1000)
    for register in (x86.UC_X86_REG_EAX, x86.UC_X86_REG_EBX, x86.UC_X86_REG_ECX):
        uc.reg_write(register, 0)
    return signature


def reset_state(
    uc: Any, layout: Layout | None, signature: int, state: BlobState | None = None
) -> BlobState | RegisterState:
    """Put the CPU of ``uc`` into the state after a reset, and return that state.

    Without a layout, CS has the base that real mode gives it, F0000h: the firmware's copy there
    must do.

    Args:
        uc: the instance.
        layout: of its saved contexts, if that is known.
        signature: what EDX holds.
        state: its registers, where there are such already.
    """
    for register, value in _REGISTERS.items():
        uc.reg_write(register, value)
    if state is None:
        state = BlobState(uc, layout) if layout is not None else None
    return _reset(uc, state or RegisterState(uc), signature)


def _reset(uc: Any, state: BlobState | RegisterState, signature: int) -> BlobState | RegisterState:
    for index in (ES, SS, DS, FS, GS):
        state.set_segment(index, _DATA)
    for index, table in _TABLES.items():
        state.set_segment(index, table)
    state.set_segment(CS, _CODE)
    for index in range(8):
        state.set_general(index, 0)
    state.set_general(EDX, signature)
    state.eip = RESET_EIP
    state.save()
    uc.reg_write(x86.UC_X86_REG_CR0, _CR0)
    state.load()
    return state
