"""All that a CPU knows at one moment, in the architecture's terms: what a saved machine has of it.

No accelerator's own structures are in it: what one has saved, another one can load.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from guestmap.accel.types import Segment
from guestmap.accel.vcpu import RESET_SMBASE

U8 = Annotated[int, Meta(ge=0, le=0xFF)]
U16 = Annotated[int, Meta(ge=0, le=0xFFFF)]
U32 = Annotated[int, Meta(ge=0, le=0xFFFF_FFFF)]
U64 = Annotated[int, Meta(ge=0)]
Vector = Annotated[bytes, Meta(min_length=16, max_length=16)]

GENERAL = (
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
)  # fmt: skip
"""The general registers in the order of their numbers."""

EFER, STAR, LSTAR, CSTAR, FMASK = range(0xC000_0080, 0xC000_0085)
KERNEL_GS_BASE, TSC_AUX = 0xC000_0102, 0xC000_0103
_SYSENTER, _PAT, _MTRR_DEFAULT = range(0x174, 0x177), 0x277, 0x2FF
_MTRR_VARIABLE, _MTRR_FIXED = range(0x200, 0x210), (0x250, 0x258, 0x259, *range(0x268, 0x270))
MSRS = (
    EFER, STAR, LSTAR, CSTAR, FMASK, KERNEL_GS_BASE, TSC_AUX, *_SYSENTER, _PAT, _MTRR_DEFAULT,
    *_MTRR_VARIABLE, *_MTRR_FIXED,
)  # fmt: skip
"""The model specific registers that a guest can have changed, by number (Intel SDM, volume 4)."""


class Fpu(msgspec.Struct, forbid_unknown_fields=True):
    """The x87 unit. ``registers`` are R0 to R7, not ST(n): significand, and sign with exponent."""

    control: U16
    status: U16
    tag: U16
    registers: Annotated[list[tuple[U64, U16]], Meta(min_length=8, max_length=8)]


class VcpuState(msgspec.Struct, forbid_unknown_fields=True):
    """One CPU.

    Attributes:
        general: the general registers, by number.
        rip, rflags: as they are.
        segments: ES, CS, SS, DS, FS, GS, LDTR, TR, GDTR, IDTR, with their hidden parts.
        control: CR0, CR2, CR3, CR4 and CR8, by number.
        debug: DR0 to DR3, DR6 and DR7, by number.
        msrs: by number.
        fpu: the x87 unit.
        mxcsr: SSE's control and status.
        vectors: XMM0 and on, 16 bytes each.
        a20: whether the A20 gate is open.
        halted: whether the CPU waits for an interrupt.
        shadow: whether it takes none before the next instruction (after STI or MOV SS).
        accepted: the vector of an interrupt that was acknowledged, and whose handler has not begun.
        smbase: where its system management handler has its base.
        smm: whether it is in system management mode.
        smi: whether a system management interrupt waits.
        waits_for_startup: whether it waits to be started by another CPU.
    """

    general: Annotated[list[U64], Meta(min_length=16, max_length=16)]
    rip: U64
    rflags: U64
    segments: Annotated[list[tuple[U16, U64, U32, U32]], Meta(min_length=10, max_length=10)]
    control: dict[int, U64]
    debug: dict[int, U64]
    msrs: dict[int, U64]
    fpu: Fpu
    mxcsr: U32
    vectors: Annotated[list[Vector], Meta(min_length=8, max_length=16)]
    a20: bool = True
    halted: bool = False
    shadow: bool = False
    accepted: U8 | None = None
    smbase: U32 = RESET_SMBASE
    smm: bool = False
    smi: bool = False
    waits_for_startup: bool = False

    def segment(self, index: int) -> Segment:
        """Return a segment register by its place in the list."""
        return Segment(*self.segments[index])
