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
)
from guestmap.hw.serial import registers as reg
from guestmap.hw.serial.chip import SerialChip
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


class Serial16550(SerialChip):
    """The port.

    Args:
        clock: counts the time-out of the FIFO.
        irq: its interrupt line.
        index: 0 for COM1 to 3 for COM4, which says at which ports it is.
        chardev: the name of what it is connected to.
        sink: called with each byte (0-255) that the guest sends.
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
        super().__init__(clock, irq, {**where, "chardev": chardev}, sink)
        self._uart = Uart(Stateless(), {"chardev": chardev})
        self._port = PORTS[index]

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
