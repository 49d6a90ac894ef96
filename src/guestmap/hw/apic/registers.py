"""A local APIC's registers: their numbers and bits, and what they hold (Intel SDM volume 3)."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Annotated

from guestmap.base.bounds import Meta, bounded
from guestmap.base.dataclass import dataclass
from guestmap.hw.apic.timer import LapicTimerState
from guestmap.hw.device import U8, U32, U64

VERSION = 0x14
LVT_TIMER, LVT_THERMAL, LVT_PERFORMANCE, LVT_LINT0, LVT_LINT1, LVT_ERROR = range(6)
LVT_COUNT = 6

MASKED = 1 << 16
LEVEL = 1 << 15
ENABLE = 1 << 8  # of the spurious-interrupt vector register
NO_EOI_BROADCAST = 1 << 12
ESR_ILLEGAL_ADDRESS = 1 << 7

BASE_ADDRESS = 0xFEE00000
BASE_ENABLE = 1 << 11
BASE_BSP = 1 << 8

# Register numbers: byte offset in the page, divided by 16.
ID, VERSION_REGISTER, TPR, APR, PPR, EOI = 0x02, 0x03, 0x08, 0x09, 0x0A, 0x0B
LDR, DFR, SVR, ISR, TMR, IRR, ESR = 0x0D, 0x0E, 0x0F, 0x10, 0x18, 0x20, 0x28
ICR, ICR_HIGH, LVT = 0x30, 0x31, 0x32
INITIAL_COUNT, CURRENT_COUNT, DIVIDE = 0x38, 0x39, 0x3E
ARRAYS = range(ISR, ESR)
READ_ONLY = (VERSION_REGISTER, APR, PPR, CURRENT_COUNT, *ARRAYS, ESR)


BITS = 256
NO_VECTORS = bytes(BITS // 8)
if TYPE_CHECKING:
    Bits = bytes
else:
    Bits = bounded(bytes, min_length=len(NO_VECTORS), max_length=len(NO_VECTORS))


@dataclass(slots=True)
class LocalApicState:
    """The registers, as after an INIT message.

    Attributes:
        isr, tmr, irr: in service, trigger mode and requested: a bit for each vector. They are the
            APIC's own integers until they are saved.
        pic_level: of LINT0, the wire from the PIC.
    """

    id: U8 = 0
    base: U64 = BASE_ADDRESS | BASE_ENABLE
    tpr: U8 = 0
    svr: Annotated[int, Meta(ge=0, le=0x1FF)] = 0xFF
    logical_id: U8 = 0
    destination_format: Annotated[int, Meta(ge=0, le=0xF)] = 0xF
    isr: Bits = NO_VECTORS
    tmr: Bits = NO_VECTORS
    irr: Bits = NO_VECTORS
    esr: U8 = 0
    icr: U32 = 0
    icr_high: U32 = 0
    lvt: Annotated[list[U32], Meta(min_length=LVT_COUNT, max_length=LVT_COUNT)] = field(
        default_factory=lambda: [MASKED] * LVT_COUNT
    )
    pic_level: bool = False
    timer: LapicTimerState = field(default_factory=LapicTimerState)
