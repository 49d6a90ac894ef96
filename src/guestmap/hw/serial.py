"""A 16550A serial port: a byte sink outwards, :meth:`Serial16550.receive` inwards.

Registers are those of the National Semiconductor PC16550D data sheet. Transmission takes no time:
a byte written is out, and the transmitter is empty again, before the write returns. Where silicon
and QEMU 7.2 differ, this is QEMU: OUT2 does not gate the interrupt line, and a modem is always
there (DCD, DSR and CTS are on).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from guestmap.memory import AccessSizes, Endianness, MemoryRegion, MemoryRegionOps

if TYPE_CHECKING:
    from guestmap.base import Clock, IrqLine
    from guestmap.memory import MemorySystem

PORTS = (0x3F8, 0x2F8, 0x3E8, 0x2E8)
"""The ports of COM1 to COM4."""

FIFO_BYTES = 16
_BAUD_BASE = 115_200
_SECOND_NS = 1_000_000_000

_IER_RX, _IER_THRE, _IER_LINE, _IER_MODEM = 0x01, 0x02, 0x04, 0x08
_IIR_NONE, _IIR_THRE, _IIR_RX, _IIR_LINE, _IIR_TIMEOUT = 0x01, 0x02, 0x04, 0x06, 0x0C
_IIR_MODEM, _IIR_FIFO = 0x00, 0xC0
_FCR_ENABLE, _FCR_CLEAR_RX, _FCR_CLEAR_TX, _FCR_KEPT = 0x01, 0x02, 0x04, 0xC9
_LCR_DLAB = 0x80
_MCR_LOOP, _MCR_OUT2 = 0x10, 0x08
_LSR_DATA, _LSR_OVERRUN, _LSR_BREAK, _LSR_THRE, _LSR_EMPTY = 0x01, 0x02, 0x10, 0x20, 0x40
_LSR_ERRORS = 0x1E
_MSR_DELTAS = 0x0F
_MSR_MODEM_THERE = 0xB0  # DCD, DSR, CTS
_TRIGGER_BYTES = (1, 4, 8, 14)  # FCR bits 7-6


class Serial16550:
    """The port.

    Attributes:
        region: ``serial``, 8 bytes.
        sink: called with each byte (0-255) that the guest sends; may be replaced at any time.
        on_room: called when :attr:`room` may have grown; may be replaced at any time, and may call
            :meth:`receive`.
    """

    def __init__(
        self,
        memory: MemorySystem,
        clock: Clock,
        irq: IrqLine,
        *,
        sink: Callable[[int], object] = lambda _byte: None,
    ) -> None:
        self._irq = irq
        self._clock = clock
        self._timeout = clock.timer(self._on_timeout)
        self.sink = sink
        self.on_room: Callable[[], None] = lambda: None
        self._fifo: deque[int] = deque()
        self._power_on()
        ops = MemoryRegionOps(
            read=self._read,
            write=self._write,
            impl=AccessSizes(min=1, max=1),
            endianness=Endianness.LITTLE,
        )
        self.region: MemoryRegion = memory.io("serial", 8, ops)

    def reset(self) -> None:
        """Go back to the state at power-on."""
        self._timeout.cancel()
        self._power_on()
        self._irq.set(False)
        self.on_room()

    def receive(self, data: bytes) -> None:
        """Give the guest ``data`` as if it came over the wire; what does not fit is lost.

        A port without FIFO holds one byte, one with FIFO 16. In loopback the wire is cut.
        """
        if not self._mcr & _MCR_LOOP:
            self._receive(data)

    @property
    def room(self) -> int:
        """How many bytes :meth:`receive` takes at once without losing any."""
        if self._mcr & _MCR_LOOP:
            return 0
        if self._fcr & _FCR_ENABLE:
            return FIFO_BYTES - len(self._fifo)
        return 0 if self._lsr & _LSR_DATA else 1

    def _power_on(self) -> None:
        self._rbr = self._scratch = self._ier = self._lcr = self._fcr = 0
        self._iir = _IIR_NONE
        self._lsr = _LSR_THRE | _LSR_EMPTY
        self._msr = _MSR_MODEM_THERE
        self._mcr = _MCR_OUT2
        self._divisor = 12
        self._character_ns = _SECOND_NS // 9600 * 10
        self._thre_pending = self._timed_out = False
        self._fifo.clear()

    def _read(self, offset: int, size: int) -> int:
        match offset & 7:
            case 5:
                return self._read_line_status()
            case 0:
                return self._divisor & 0xFF if self._lcr & _LCR_DLAB else self._read_data()
            case 1:
                return self._divisor >> 8 if self._lcr & _LCR_DLAB else self._ier
            case 2:
                value = self._iir
                if value & 0x0F == _IIR_THRE:
                    self._thre_pending = False
                    self._update()
                return value
            case 3:
                return self._lcr
            case 4:
                return self._mcr
            case 6:
                return self._read_modem_status()
            case _:
                return self._scratch

    def _read_data(self) -> int:
        if self._fcr & _FCR_ENABLE:
            value = self._fifo.popleft() if self._fifo else 0
            if self._fifo:
                self._arm_timeout()
            else:
                self._lsr &= ~(_LSR_DATA | _LSR_BREAK)
            self._timed_out = False
        else:
            value = self._rbr
            self._lsr &= ~(_LSR_DATA | _LSR_BREAK)
        self._update()
        self.on_room()
        return value

    def _read_line_status(self) -> int:
        value = self._lsr
        if value & (_LSR_BREAK | _LSR_OVERRUN):
            self._lsr &= ~(_LSR_BREAK | _LSR_OVERRUN)
            self._update()
        return value

    def _read_modem_status(self) -> int:
        if self._mcr & _MCR_LOOP:
            # The modem control outputs are wired to the status inputs.
            mcr = self._mcr
            return (mcr & 0x0C) << 4 | (mcr & 0x02) << 3 | (mcr & 0x01) << 5
        value = self._msr
        if value & _MSR_DELTAS:
            self._msr &= ~_MSR_DELTAS
            self._update()
        return value

    def _write(self, offset: int, value: int, size: int) -> None:
        value &= 0xFF
        match offset & 7:
            case 0 if self._lcr & _LCR_DLAB:
                self._divisor = self._divisor & 0xFF00 | value
                self._set_speed()
            case 0:
                self._transmit(value)
            case 1 if self._lcr & _LCR_DLAB:
                self._divisor = self._divisor & 0x00FF | value << 8
                self._set_speed()
            case 1:
                self._write_interrupt_enable(value)
            case 2:
                self._write_fifo_control(value)
            case 3:
                self._lcr = value
                self._set_speed()
            case 4:
                self._mcr = value & 0x1F
                self.on_room()
            case 7:
                self._scratch = value

    def _transmit(self, value: int) -> None:
        self._thre_pending = True
        self._update()
        if self._mcr & _MCR_LOOP:
            self._receive((value,))
        else:
            self.sink(value)

    def _write_interrupt_enable(self, value: int) -> None:
        changed = (self._ier ^ value) & 0x0F
        self._ier = value & 0x0F
        if changed & _IER_THRE:
            self._thre_pending = bool(value & _IER_THRE)  # the transmitter is always empty
        if changed:
            self._update()

    def _write_fifo_control(self, value: int) -> None:
        if (value ^ self._fcr) & _FCR_ENABLE:
            value |= _FCR_CLEAR_RX | _FCR_CLEAR_TX
        if value & _FCR_CLEAR_RX:
            self._lsr &= ~(_LSR_DATA | _LSR_BREAK)
            self._timeout.cancel()
            self._timed_out = False
            self._fifo.clear()
        if value & _FCR_CLEAR_TX:
            self._thre_pending = True
        self._fcr = value & _FCR_KEPT
        self._update()
        self.on_room()

    def _receive(self, data: bytes | tuple[int, ...]) -> None:
        if not data:
            return
        if self._fcr & _FCR_ENABLE:
            for byte in data:
                if len(self._fifo) < FIFO_BYTES:
                    self._fifo.append(byte)
                else:
                    self._lsr |= _LSR_OVERRUN
            self._arm_timeout()
        else:
            for byte in data:
                if self._lsr & _LSR_DATA:
                    self._lsr |= _LSR_OVERRUN
                self._lsr |= _LSR_DATA
                self._rbr = byte
        self._lsr |= _LSR_DATA
        self._update()

    def _set_speed(self) -> None:
        """Work out how long a character takes: start bit, data, parity and stop bits."""
        if not self._divisor:
            return
        bits = 1 + 5 + (self._lcr & 3) + (self._lcr >> 3 & 1) + (2 if self._lcr & 4 else 1)
        self._character_ns = bits * _SECOND_NS * self._divisor // _BAUD_BASE

    def _arm_timeout(self) -> None:
        """Interrupt when the FIFO was left alone for four characters (data sheet, 8.4.1)."""
        self._timeout.arm(self._clock.now_ns() + 4 * self._character_ns)

    def _on_timeout(self) -> None:
        if self._fifo:
            self._timed_out = True
            self._update()

    def _received_enough(self) -> bool:
        if not self._fcr & _FCR_ENABLE:
            return True
        return len(self._fifo) >= _TRIGGER_BYTES[self._fcr >> 6]

    def _update(self) -> None:
        """Find the interrupt that comes first, show it in IIR, and drive the line."""
        ier, lsr = self._ier, self._lsr
        if ier & _IER_LINE and lsr & _LSR_ERRORS:
            cause = _IIR_LINE
        elif ier & _IER_RX and self._timed_out:
            cause = _IIR_TIMEOUT
        elif ier & _IER_RX and lsr & _LSR_DATA and self._received_enough():
            cause = _IIR_RX
        elif ier & _IER_THRE and self._thre_pending:
            cause = _IIR_THRE
        elif ier & _IER_MODEM and self._msr & _MSR_DELTAS:
            cause = _IIR_MODEM
        else:
            cause = _IIR_NONE
        self._iir = cause | (_IIR_FIFO if self._fcr & _FCR_ENABLE else 0)
        self._irq.set(cause != _IIR_NONE)
