"""What a serial port makes of its registers: what it receives, how fast, which interrupt is first.

Functions of the registers alone (PC16550D data sheet, chapters 8.1 to 8.6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.serial import registers as reg

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.hw.serial.registers import SerialState


def room(state: SerialState) -> int:
    """Return how many bytes can be received at once without losing any."""
    if state.mcr & reg.MCR_LOOP:
        return 0
    if state.fcr & reg.FCR_ENABLE:
        return reg.FIFO_BYTES - len(state.fifo)
    return 0 if state.lsr & reg.LSR_DATA else 1


def put(state: SerialState, data: Iterable[int]) -> None:
    """Receive bytes; what does not fit is lost, and the loss is noted."""
    for byte in data:
        if state.fcr & reg.FCR_ENABLE:
            if len(state.fifo) < reg.FIFO_BYTES:
                state.fifo.append(byte)
            else:
                state.lsr |= reg.LSR_OVERRUN
        else:
            if state.lsr & reg.LSR_DATA:
                state.lsr |= reg.LSR_OVERRUN
            state.rbr = byte
        state.lsr |= reg.LSR_DATA


def take(state: SerialState) -> int:
    """Return the byte that was received first and not read yet; 0 from an empty FIFO."""
    if not state.fcr & reg.FCR_ENABLE:
        state.lsr &= ~(reg.LSR_DATA | reg.LSR_BREAK)
        return state.rbr
    value = state.fifo.pop(0) if state.fifo else 0
    if not state.fifo:
        state.lsr &= ~(reg.LSR_DATA | reg.LSR_BREAK)
    state.timed_out = False
    return value


def character_ns(state: SerialState) -> int:
    """Return how long a character takes: start bit, data, parity and stop bits."""
    parity, stop_bits = state.lcr >> 3 & 1, 2 if state.lcr & 4 else 1
    bits = 1 + 5 + (state.lcr & 3) + parity + stop_bits
    return bits * reg.SECOND_NS * state.divisor // reg.BAUD_BASE


def first_cause(state: SerialState) -> int:
    """Return the interrupt that comes first, as IIR shows it (data sheet, table IV)."""
    ier, lsr = state.ier, state.lsr
    if ier & reg.IER_LINE and lsr & reg.LSR_ERRORS:
        return reg.IIR_LINE
    if ier & reg.IER_RX and state.timed_out:
        return reg.IIR_TIMEOUT
    if ier & reg.IER_RX and lsr & reg.LSR_DATA and _received_enough(state):
        return reg.IIR_RX
    if ier & reg.IER_THRE and state.thre_pending:
        return reg.IIR_THRE
    if ier & reg.IER_MODEM and state.msr & reg.MSR_DELTAS:
        return reg.IIR_MODEM
    return reg.IIR_NONE


def _received_enough(state: SerialState) -> bool:
    if not state.fcr & reg.FCR_ENABLE:
        return True
    return len(state.fifo) >= reg.TRIGGER_BYTES[state.fcr >> 6]
