"""An IDE channel with no drive: what a guest finds when it looks for one.

Register offsets are those of ATA/ATAPI-6 (ANSI INCITS 361), section 7: a command block of eight
bytes and one control register. Every register reads 0, so a guest sees a device that is neither
ready nor busy and gives up. As in QEMU 7.2, the controller answers for a missing device 0: any
command and a software reset raise the interrupt; reading the status, or the next command, lowers
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.hw.device import Place, RegisterBlock
from guestmap.hw.portio import PortEntry, port_places

if TYPE_CHECKING:
    from guestmap.base import IrqLine

CHANNELS = ((0x1F0, 0x3F6, 14), (0x170, 0x376, 15))
"""Command block, control block and interrupt line of the primary and the secondary channel."""

_DEVICE, _COMMAND = 6, 7
_DEVICE_1 = 0x10
_CONTROL_RESET, _CONTROL_NO_INTERRUPT = 0x04, 0x02


@dataclass(slots=True)
class IdeState:
    """Which device is selected, and whether the channel may interrupt."""

    device_1: bool = False
    interrupts: bool = True


class IdeChannel(RegisterBlock[IdeState]):
    """The channel.

    Args:
        irq: its interrupt line.
        command: the port of its command block.
        control: the port of its control register.
    """

    def __init__(
        self, irq: IrqLine, command: int = CHANNELS[0][0], control: int = CHANNELS[0][1]
    ) -> None:
        super().__init__(IdeState())
        self._irq = irq
        self._ports = command, control

    def places(self) -> tuple[Place, ...]:
        """Return the command block (8 bytes; 16 and 32 bits at offset 0) and the control register.

        Both are called ``ide``; the second is device control and alternate status.
        """
        command, control = self._ports
        block = (
            PortEntry(0, 8, 1, self._read, self._write),
            PortEntry(0, 1, 2, self._read_data, self._write_data),
            PortEntry(0, 1, 4, self._read_data, self._write_data),
        )
        entry = PortEntry(0, 1, 1, self._read_data, self._write_control)
        return (*port_places("ide", command, block), *port_places("ide", control, (entry,)))

    def reset(self) -> None:
        """Select device 0, allow interrupts, lower the line."""
        super().reset()
        self._irq.set(False)

    def _read(self, offset: int) -> int:
        if offset == _COMMAND:
            self._irq.set(False)
        return 0

    def _write(self, offset: int, value: int) -> None:
        if offset == _DEVICE:
            self.state.device_1 = bool(value & _DEVICE_1)
        elif offset == _COMMAND:
            self._irq.set(False)
            if not self.state.device_1:
                self._interrupt()

    def _read_data(self, offset: int) -> int:
        return 0

    def _write_data(self, offset: int, value: int) -> None:
        pass

    def _write_control(self, offset: int, value: int) -> None:
        self.state.interrupts = not value & _CONTROL_NO_INTERRUPT
        if value & _CONTROL_RESET:
            self._interrupt()

    def _interrupt(self) -> None:
        if self.state.interrupts:
            self._irq.set(True)
