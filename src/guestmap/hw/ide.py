"""An IDE channel with no drive: what a guest finds when it looks for one.

Register offsets are those of ATA/ATAPI-6 (ANSI INCITS 361), section 7: a command block of eight
bytes and one control register. Every register reads 0, so a guest sees a device that is neither
ready nor busy and gives up. As in QEMU 7.2, the controller answers for a missing device 0: any
command and a software reset raise the interrupt; reading the status, or the next command, lowers
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.portio import PortEntry, port_regions

if TYPE_CHECKING:
    from guestmap.base import IrqLine
    from guestmap.memory import MemoryRegion, MemorySystem

COMMAND_PORTS = (0x1F0, 0x170)
CONTROL_PORTS = (0x3F6, 0x376)
"""Ports of the primary and the secondary channel."""

_DEVICE, _COMMAND = 6, 7
_DEVICE_1 = 0x10
_CONTROL_RESET, _CONTROL_NO_INTERRUPT = 0x04, 0x02


class IdeChannel:
    """The channel.

    Attributes:
        command: the command block (``ide``, 8 bytes; bytes everywhere, 16 and 32 bits at offset 0).
        control: device control and alternate status (``ide``, 1 byte).
    """

    def __init__(self, memory: MemorySystem, irq: IrqLine) -> None:
        self._irq = irq
        self._device_1 = False
        self._interrupts = True
        ((_, command),) = port_regions(
            memory,
            "ide",
            0,
            (
                PortEntry(0, 8, 1, self._read, self._write),
                PortEntry(0, 1, 2, self._read_data, self._write_data),
                PortEntry(0, 1, 4, self._read_data, self._write_data),
            ),
        )
        entry = PortEntry(0, 1, 1, self._read_data, self._write_control)
        ((_, control),) = port_regions(memory, "ide", 0, (entry,))
        self.command: MemoryRegion = command
        self.control: MemoryRegion = control

    def reset(self) -> None:
        """Select device 0, allow interrupts, lower the line."""
        self._device_1 = False
        self._interrupts = True
        self._irq.set(False)

    def _read(self, offset: int) -> int:
        if offset == _COMMAND:
            self._irq.set(False)
        return 0

    def _write(self, offset: int, value: int) -> None:
        if offset == _DEVICE:
            self._device_1 = bool(value & _DEVICE_1)
        elif offset == _COMMAND:
            self._irq.set(False)
            if not self._device_1:
                self._interrupt()

    def _read_data(self, offset: int) -> int:
        return 0

    def _write_data(self, offset: int, value: int) -> None:
        pass

    def _write_control(self, offset: int, value: int) -> None:
        self._interrupts = not value & _CONTROL_NO_INTERRUPT
        if value & _CONTROL_RESET:
            self._interrupt()

    def _interrupt(self) -> None:
        if self._interrupts:
            self._irq.set(True)
