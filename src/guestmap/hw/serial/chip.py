"""What a serial port does, whichever register asks for it: bytes, time-outs, interrupts.

National Semiconductor PC16550D data sheet, chapter 8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from guestmap.hw.device import DeviceModel, rearm
from guestmap.hw.serial import registers as reg
from guestmap.hw.serial.line import character_ns, first_cause, put, room, take
from guestmap.hw.serial.registers import SerialState

if TYPE_CHECKING:
    from guestmap.base import Clock, IrqLine
    from guestmap.qom import JsonValue


class SerialChip(DeviceModel[SerialState]):
    """A port without its addresses.

    Args:
        clock: counts the time-out of the FIFO.
        irq: its interrupt line.
        settings: see :class:`guestmap.hw.device.DeviceModel`.
        sink: see below.

    Attributes:
        sink: called with each byte (0-255) that the guest sends; may be replaced at any time.
        on_room: called when :attr:`room` may have grown; may be replaced at any time, and may call
            :meth:`receive`.
    """

    def __init__(
        self,
        clock: Clock,
        irq: IrqLine,
        settings: Mapping[str, JsonValue],
        sink: Callable[[int], object],
    ) -> None:
        super().__init__(SerialState(), settings)
        self._irq = irq
        self._clock = clock
        self._timeout = clock.timer(self._on_timeout)
        self.sink = sink
        self.on_room: Callable[[], None] = lambda: None

    def reset(self) -> None:
        """Go back to the state at power-on."""
        super().reset()
        self._timeout.cancel()
        self._irq.set(False)
        self.on_room()

    def save(self) -> SerialState:
        """Return the registers and when the FIFO's time-out comes."""
        self.state.timeout_ns = self._timeout.deadline_ns
        return super().save()

    def load(self, state: SerialState) -> None:
        """Go on from there."""
        super().load(state)
        rearm(self._timeout, self.state.timeout_ns)
        self.on_room()

    def receive(self, data: bytes) -> None:
        """Give the guest ``data`` as if it came over the wire; what does not fit is lost.

        A port without FIFO holds one byte, one with FIFO 16. In loopback the wire is cut.
        """
        if not self.state.mcr & reg.MCR_LOOP:
            self._receive(data)

    @property
    def room(self) -> int:
        """How many bytes :meth:`receive` takes at once without losing any."""
        return room(self.state)

    def _read_data(self) -> int:
        value = take(self.state)
        if self.state.fifo:
            self._arm_timeout()
        self._update()
        self.on_room()
        return value

    def _read_line_status(self) -> int:
        value = self.state.lsr
        if value & (reg.LSR_BREAK | reg.LSR_OVERRUN):
            self.state.lsr &= ~(reg.LSR_BREAK | reg.LSR_OVERRUN)
            self._update()
        return value

    def _read_modem_status(self) -> int:
        if self.state.mcr & reg.MCR_LOOP:
            # The modem control outputs are wired to the status inputs.
            mcr = self.state.mcr
            return (mcr & 0x0C) << 4 | (mcr & 0x02) << 3 | (mcr & 0x01) << 5
        value = self.state.msr
        if value & reg.MSR_DELTAS:
            self.state.msr &= ~reg.MSR_DELTAS
            self._update()
        return value

    def _transmit(self, value: int) -> None:
        self.state.thre_pending = True
        self._update()
        if self.state.mcr & reg.MCR_LOOP:
            self._receive((value,))
        else:
            self.sink(value)

    def _write_interrupt_enable(self, value: int) -> None:
        changed = (self.state.ier ^ value) & 0x0F
        self.state.ier = value & 0x0F
        if changed & reg.IER_THRE:
            self.state.thre_pending = bool(value & reg.IER_THRE)  # the transmitter is always empty
        if changed:
            self._update()

    def _write_fifo_control(self, value: int) -> None:
        if (value ^ self.state.fcr) & reg.FCR_ENABLE:
            value |= reg.FCR_CLEAR_RX | reg.FCR_CLEAR_TX
        if value & reg.FCR_CLEAR_RX:
            self.state.lsr &= ~(reg.LSR_DATA | reg.LSR_BREAK)
            self._timeout.cancel()
            self.state.timed_out = False
            self.state.fifo.clear()
        if value & reg.FCR_CLEAR_TX:
            self.state.thre_pending = True
        self.state.fcr = value & reg.FCR_KEPT
        self._update()
        self.on_room()

    def _receive(self, data: bytes | tuple[int, ...]) -> None:
        if not data:
            return
        put(self.state, data)
        if self.state.fcr & reg.FCR_ENABLE:
            self._arm_timeout()
        self._update()

    def _set_speed(self) -> None:
        if self.state.divisor:
            self.state.character_ns = character_ns(self.state)

    def _arm_timeout(self) -> None:
        """Interrupt when the FIFO was left alone for four characters (data sheet, 8.4.1)."""
        self._timeout.arm(self._clock.now_ns() + 4 * self.state.character_ns)

    def _on_timeout(self) -> None:
        if self.state.fifo:
            self.state.timed_out = True
            self._update()

    def _update(self) -> None:
        """Show the interrupt that comes first, and drive the line."""
        cause = first_cause(self.state)
        self.state.iir = cause | (reg.IIR_FIFO if self.state.fcr & reg.FCR_ENABLE else 0)
        self._irq.set(cause != reg.IIR_NONE)
