"""A parallel port: QEMU 7.2's ``isa-parallel`` without a printer's own hardware behind it.

Data, status and control of the IBM PC's printer adapter are bytes at the first three ports (IBM
Technical Reference, "Parallel printer adapter"); the five behind them, where an EPP has its
registers, answer nothing. Whoever is at the other end takes each byte at once. Where silicon and
QEMU differ this is QEMU: time stands, so BUSY and ACK change when the status is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import CHARDEV, HAS_AML, ISA_DEVICE, declare, setting
from guestmap.hw.device import U8, DeviceModel, Place
from guestmap.hw.portio import PortEntry, port_places
from guestmap.qom import STR, UINT32

if TYPE_CHECKING:
    from guestmap.base import IrqLine

PORTS = (0x378, 0x278, 0x3BC)
"""The ports of LPT1 to LPT3."""
LINE = 7
"""The interrupt line of each of them."""
_NOWHERE = 0xFFFF_FFFF
_LENGTH = 8

_DATA, _STATUS, _CONTROL = range(3)
_NOT_BUSY, _NOT_ACK, _ONLINE, _NO_ERROR, _NO_TIMEOUT = 0x80, 0x40, 0x10, 0x08, 0x01
_INWARDS, _INTERRUPTS, _SELECT, _NO_RESET, _STROBE = 0x20, 0x10, 0x08, 0x04, 0x01
_ALWAYS = 0xC0  # of the control register
_READY = _NOT_BUSY | _NOT_ACK | _ONLINE | _NO_ERROR


@dataclass(slots=True)
class ParallelState:
    """The registers.

    Attributes:
        data: what was written last.
        status: as it is read next; BUSY, ACK and ERROR are active low.
        control: what was written last, with bits 6 and 7 set.
        pending: whether it asks for an interrupt.
    """

    data: U8 = 0xFF
    status: U8 = _READY | _NO_TIMEOUT
    control: U8 = _ALWAYS | _SELECT | _NO_RESET
    pending: bool = False


class ParallelPort(DeviceModel[ParallelState]):
    """The port.

    Args:
        irq: its interrupt line.
        index: 0 for LPT1 to 2 for LPT3, which says at which ports it is.
        chardev: the name of what it is connected to.
        sink: called with each byte (0-255) that the guest sends.
    """

    TYPE = declare(
        "isa-parallel",
        ISA_DEVICE,
        setting("index", UINT32, _NOWHERE),
        setting("iobase", UINT32, _NOWHERE),
        setting("irq", UINT32, LINE),
        setting("chardev", STR, description=CHARDEV),
        interfaces=HAS_AML,
        user_creatable=True,
    )

    def __init__(
        self,
        irq: IrqLine,
        *,
        index: int = 0,
        chardev: str = "parallel0",
        sink: Callable[[int], object] = lambda _byte: None,
    ) -> None:
        where = {"index": index, "iobase": PORTS[index], "irq": LINE}
        super().__init__(ParallelState(), {**where, "chardev": chardev})
        self.sink = sink
        self._irq = irq
        self._port = PORTS[index]

    def places(self) -> tuple[Place, ...]:
        """Return the eight ports, ``parallel``."""
        return port_places(
            "parallel", self._port, [PortEntry(0, _LENGTH, 1, self._read, self._write)]
        )

    def _read(self, offset: int) -> int:
        state = self.state
        match offset:
            case 0:  # of what comes in nothing is known
                return 0xFF if state.control & _INWARDS else state.data
            case 1:
                return self._read_status()
            case 2:
                return state.control
            case _:
                return 0xFF

    def _read_status(self) -> int:
        """Return the status; a byte that was taken is acknowledged step by step, read by read."""
        state = self.state
        status = state.status
        state.pending = False
        if not (status & _NOT_BUSY or state.control & _STROBE):
            if status & _NOT_ACK:
                state.status &= ~_NOT_ACK
            else:
                state.status |= _NOT_ACK | _NOT_BUSY
        self._update()
        return status

    def _write(self, offset: int, value: int) -> None:
        if offset == _DATA:
            self.state.data = value
        elif offset == _CONTROL:
            self._write_control(value | _ALWAYS)
        self._update()

    def _write_control(self, value: int) -> None:
        state = self.state
        if not value & _NO_RESET:
            state.status = _READY
        elif value & _SELECT:
            if value & _STROBE:
                state.status &= ~_NOT_BUSY
                if not state.control & _STROBE:
                    self.sink(state.data)
            elif state.control & _INTERRUPTS:
                state.pending = True
        state.control = value

    def _update(self) -> None:
        self._irq.set(self.state.pending)
