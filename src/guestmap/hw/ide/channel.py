"""An IDE channel: one interrupt line, and two places for drives that share their registers.

Register offsets are those of ATA/ATAPI-7 (INCITS 397), section 5: a command block of eight bytes
and one control register. What is written reaches both drives; the selected one answers, and carries
out commands. Where no drive is, the rules are QEMU 7.2's: all registers of an empty channel read
0; any command for a missing device 0, and a software reset, raise the interrupt.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U8, Place, RegisterBlock
from guestmap.hw.ide import registers as reg
from guestmap.hw.ide.registers import AtaState
from guestmap.hw.ide.unit import IdeUnit
from guestmap.hw.portio import PortEntry, port_places

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guestmap.base import IrqLine
    from guestmap.hw.ide.bus_master import BusMasterChannel

CHANNELS = ((0x1F0, 0x3F6, 14), (0x170, 0x376, 15))
"""Command block, control block and interrupt line of the primary and the secondary channel."""


@dataclass(slots=True)
class IdeState:
    """Which device is selected, what the control register holds, and both devices."""

    device_1: bool = False
    control: U8 = 0
    first: AtaState = field(default_factory=AtaState)
    second: AtaState = field(default_factory=AtaState)


class IdeChannel(RegisterBlock[IdeState]):
    """The channel.

    Args:
        irq: its interrupt line.
        command: the port of its command block.
        control: the port of its control register.
        number: 0 or 1.

    Attributes:
        units: what sits at the two places.
    """

    def __init__(
        self,
        irq: IrqLine,
        command: int = CHANNELS[0][0],
        control: int = CHANNELS[0][1],
        *,
        number: int = 0,
    ) -> None:
        super().__init__(IdeState())
        self.number = number
        self._irq = irq
        self._ports = command, control
        self._master: BusMasterChannel | None = None
        self.units = [IdeUnit(0), IdeUnit(1)]
        for unit in self.units:
            self.attach(unit)

    def attach(self, unit: IdeUnit) -> None:
        """Put a drive at the place that its number says."""
        unit.interrupt, unit.master = self._interrupt, self._master
        self.units[unit.number] = unit
        if not unit.is_there:
            unit.reset()

    def serial(self, number: int) -> str:
        """Return the serial number of a drive at a place, where nobody gives it another."""
        return f"QM{2 * self.number + number + 1:05d}"

    def master_with(self, master: BusMasterChannel) -> None:
        """Let a bus master move the data."""
        self._master = master
        for unit in self.units:
            unit.master = master
        master.on_start = lambda: self._selected.run_dma()

    @property
    def blocks(self) -> Mapping[str, IdeUnit]:
        """Both devices."""
        return {"first": self.units[0], "second": self.units[1]}

    @property
    def _selected(self) -> IdeUnit:
        return self.units[self.state.device_1]

    @property
    def _is_empty(self) -> bool:
        return not (self.units[0].is_there or self.units[1].is_there)

    def places(self) -> tuple[Place, ...]:
        """Return the command block (8 bytes; 16 and 32 bits at offset 0) and the control register.

        Both are called ``ide``; the second is device control and alternate status.
        """
        command, control = self._ports
        block = (
            PortEntry(0, 8, 1, self._read, self._write),
            PortEntry(0, 1, 2, lambda _at: self._read_data(2), lambda _at, v: self._put(v, 2)),
            PortEntry(0, 1, 4, lambda _at: self._read_data(4), lambda _at, v: self._put(v, 4)),
        )
        entry = PortEntry(0, 1, 1, lambda _at: self._status(), self._write_control)
        return (*port_places("ide", command, block), *port_places("ide", control, (entry,)))

    def reset(self) -> None:
        """Select device 0, allow interrupts, lower the line, reset both devices."""
        super().reset()
        for unit in self.units:
            unit.reset()
        self._irq.set(False)

    def _read(self, offset: int) -> int:
        if offset == 0:
            return self._read_data(2) & 0xFF
        if offset == reg.STATUS_COMMAND:
            status = self._status()
            self._irq.set(False)
            return status
        unit = self._selected
        if self._is_empty or (offset == reg.ERROR_FEATURES and unit.number and not unit.is_there):
            return 0
        return unit.read(offset, before=bool(self.state.control & reg.CONTROL_HOB))

    def _status(self) -> int:
        unit = self._selected
        if self._is_empty or (unit.number and not unit.is_there):
            return 0
        return unit.read(reg.STATUS_COMMAND, before=False)

    def _write(self, offset: int, value: int) -> None:
        value &= 0xFF
        if offset == reg.STATUS_COMMAND:
            self.state.control &= ~reg.CONTROL_HOB
            self._irq.set(False)
            self._execute(value)
        elif offset == 0:
            self._put(value, 2)
        elif not self._selected.is_busy:
            self.state.control &= ~reg.CONTROL_HOB
            for unit in self.units:
                unit.write(offset, value)
            if offset == reg.DEVICE:
                self.state.device_1 = bool(value & reg.DEVICE_1)

    def _execute(self, code: int) -> None:
        unit = self._selected
        if unit.is_there or not unit.number:
            unit.execute(code)

    def _read_data(self, size: int) -> int:
        return self._selected.read_data(size)

    def _put(self, value: int, size: int) -> None:
        self._selected.write_data(value, size)

    def _write_control(self, _offset: int, value: int) -> None:
        resets = value & ~self.state.control & reg.CONTROL_RESET
        self.state.control = value & 0xFF
        if resets:
            self.state.control &= ~reg.CONTROL_RESET
            for unit in self.units:
                unit.software_reset()
            self._interrupt()

    def _interrupt(self) -> None:
        if not self.state.control & reg.CONTROL_NO_INTERRUPT:
            if self._master is not None:
                self._master.interrupted()
            self._irq.set(True)
