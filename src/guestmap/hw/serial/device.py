"""A 16550A serial port: a byte sink outwards, :meth:`Serial16550.receive` inwards.

Registers are those of the National Semiconductor PC16550D data sheet. Transmission takes no time:
a byte written is out, and the transmitter is empty again, before the write returns. Where silicon
and QEMU 7.2 differ, this is QEMU: OUT2 does not gate the interrupt line, and a modem is always
there (DCD, DSR and CTS are on).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from guestmap.hw.declare import CHARDEV, HAS_AML, ISA_DEVICE, declare, fact, setting
from guestmap.hw.device import (
    DeviceModel,
    IoRegion,
    Place,
    Space,
    Stateless,
    rearm,
)
from guestmap.hw.serial import registers as reg
from guestmap.hw.serial.line import character_ns, first_cause, put, room, take
from guestmap.hw.serial.registers import SerialState
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps
from guestmap.qom import BOOL, STR, UINT32

if TYPE_CHECKING:
    from guestmap.base import Clock, IrqLine

PORTS = (0x3F8, 0x2F8, 0x3E8, 0x2E8)
"""The ports of COM1 to COM4."""
LINES = (4, 3, 4, 3)
"""Their interrupt lines."""
_NOWHERE = 0xFFFF_FFFF

_PROPERTIES = (
    fact("wakeup", BOOL, False, default=False),
    fact("chardev", STR, "", CHARDEV),
    fact("baudbase", UINT32, reg.BAUD_BASE, default=reg.BAUD_BASE),
)


class Uart(DeviceModel[Stateless]):
    """What QEMU shows as the chip inside the port."""

    TYPE = declare("serial", "device", *_PROPERTIES)


class Serial16550(DeviceModel[SerialState]):
    """The port.

    Args:
        clock: counts the time-out of the FIFO.
        irq: its interrupt line.
        index: 0 for COM1 to 3 for COM4, which says at which ports it is.
        chardev: the name of what it is connected to.
        sink: see below.

    Attributes:
        sink: called with each byte (0-255) that the guest sends; may be replaced at any time.
        on_room: called when :attr:`room` may have grown; may be replaced at any time, and may call
            :meth:`receive`.
    """

    TYPE = declare(
        "isa-serial",
        ISA_DEVICE,
        setting("index", UINT32, _NOWHERE),
        setting("iobase", UINT32, _NOWHERE),
        setting("irq", UINT32, _NOWHERE),
        *_PROPERTIES,
        interfaces=HAS_AML,
        user_creatable=True,
    )

    def __init__(
        self,
        clock: Clock,
        irq: IrqLine,
        *,
        index: int = 0,
        chardev: str = "serial0",
        sink: Callable[[int], object] = lambda _byte: None,
    ) -> None:
        where = {"index": index, "iobase": PORTS[index], "irq": LINES[index]}
        super().__init__(SerialState(), {**where, "chardev": chardev})
        self._irq = irq
        self._clock = clock
        self._timeout = clock.timer(self._on_timeout)
        self._uart = Uart(Stateless(), {"chardev": chardev})
        self._port = PORTS[index]
        self.sink = sink
        self.on_room: Callable[[], None] = lambda: None

    def places(self) -> tuple[Place, ...]:
        """Return the eight registers, ``serial``."""
        ops = MemoryRegionOps(
            read=self._read,
            write=self._write,
            impl=AccessSizes(min=1, max=1),
            endianness=Endianness.LITTLE,
        )
        return (Place(Space.IO, self._port, IoRegion("serial", 8, ops)),)

    @property
    def parts(self) -> Mapping[str, DeviceModel[Any]]:
        """The chip, as QEMU shows it."""
        return {"serial": self._uart}

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

    def _read(self, offset: int, size: int) -> int:
        match offset & 7:
            case 5:
                return self._read_line_status()
            case 0 if self.state.lcr & reg.LCR_DLAB:
                return self.state.divisor & 0xFF
            case 0:
                return self._read_data()
            case 1 if self.state.lcr & reg.LCR_DLAB:
                return self.state.divisor >> 8
            case 1:
                return self.state.ier
            case 2:
                value = self.state.iir
                if value & 0x0F == reg.IIR_THRE:
                    self.state.thre_pending = False
                    self._update()
                return value
            case 3:
                return self.state.lcr
            case 4:
                return self.state.mcr
            case 6:
                return self._read_modem_status()
            case _:
                return self.state.scratch

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

    def _write(self, offset: int, value: int, size: int) -> None:
        value &= 0xFF
        match offset & 7:
            case 0 if self.state.lcr & reg.LCR_DLAB:
                self.state.divisor = self.state.divisor & 0xFF00 | value
                self._set_speed()
            case 0:
                self._transmit(value)
            case 1 if self.state.lcr & reg.LCR_DLAB:
                self.state.divisor = self.state.divisor & 0x00FF | value << 8
                self._set_speed()
            case 1:
                self._write_interrupt_enable(value)
            case 2:
                self._write_fifo_control(value)
            case 3:
                self.state.lcr = value
                self._set_speed()
            case 4:
                self.state.mcr = value & 0x1F
                self.on_room()
            case 7:
                self.state.scratch = value

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
