"""A serial port's registers: their bits, and what they hold (PC16550D data sheet)."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U8, U16, Ns

FIFO_BYTES = 16
BAUD_BASE = 115_200
SECOND_NS = 1_000_000_000

IER_RX, IER_THRE, IER_LINE, IER_MODEM = 0x01, 0x02, 0x04, 0x08
IIR_NONE, IIR_THRE, IIR_RX, IIR_LINE, IIR_TIMEOUT = 0x01, 0x02, 0x04, 0x06, 0x0C
IIR_MODEM, IIR_FIFO = 0x00, 0xC0
FCR_ENABLE, FCR_CLEAR_RX, FCR_CLEAR_TX, FCR_KEPT = 0x01, 0x02, 0x04, 0xC9
LCR_DLAB = 0x80
MCR_LOOP, MCR_OUT2 = 0x10, 0x08
LSR_DATA, LSR_OVERRUN, LSR_BREAK, LSR_THRE, LSR_EMPTY = 0x01, 0x02, 0x10, 0x20, 0x40
LSR_ERRORS = 0x1E
MSR_DELTAS = 0x0F
MSR_MODEM_THERE = 0xB0  # DCD, DSR, CTS
TRIGGER_BYTES = (1, 4, 8, 14)  # FCR bits 7-6


@dataclass(slots=True)
class SerialState:
    """The registers, what was received and not read yet, and the interrupts that wait."""

    rbr: U8 = 0
    ier: U8 = 0
    iir: U8 = IIR_NONE
    fcr: U8 = 0
    lcr: U8 = 0
    mcr: U8 = MCR_OUT2
    lsr: U8 = LSR_THRE | LSR_EMPTY
    msr: U8 = MSR_MODEM_THERE
    scratch: U8 = 0
    divisor: U16 = 12
    character_ns: Annotated[int, Meta(ge=0)] = SECOND_NS // 9600 * 10
    thre_pending: bool = False
    timed_out: bool = False
    fifo: Annotated[bytearray, Meta(max_length=FIFO_BYTES)] = field(default_factory=bytearray)
    timeout_ns: Ns | None = None
