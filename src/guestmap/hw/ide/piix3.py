"""The IDE function of the PIIX3, 8086:7010: bus-master registers, and no drive to move data for.

Intel 82371FB/82371SB data sheet (290550), section 2.7: for each of two channels a command, a status
and a descriptor table pointer register, sixteen bytes in all, placed by BAR 4. Nothing ever asks
for a transfer, so a started channel stays active until it is stopped. The ports of the IDE channels
themselves (1F0h, 170h and so on) are ISA addresses and belong to the machine.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import declare
from guestmap.hw.device import U8, U32, IoRegion, RegisterBlock
from guestmap.hw.pci import PciFunction, PciIdentity
from guestmap.hw.pci.kind import IS_PCI, PCI_DEVICE, PciState
from guestmap.hw.pci.registers import BAR_IO, STATUS, STATUS_DEVSEL_MEDIUM, STATUS_FAST_BACK
from guestmap.memory import Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guestmap.hw.pci import PciBus

BAR_SLOT, BAR_SIZE = 4, 16
CHANNELS, CHANNEL_BYTES = 2, 8

_IDENTITY = PciIdentity(0x8086, 0x7010, 0x0101, prog_if=0x80)
_COMMAND, _STATUS = 0, 2
_POINTER = 4
_START, _COMMAND_BITS = 1 << 0, 0x09
_ACTIVE, _CAPABLE, _CLEARABLE = 1 << 0, 0x60, 0x06


@dataclass(slots=True)
class BusMasterState:
    """Command, status and table pointer of one channel."""

    command: U8 = 0
    status: U8 = 0
    pointer: U32 = 0


class BusMasterChannel(RegisterBlock[BusMasterState]):
    """Command, status and table pointer of one IDE channel."""

    def __init__(self) -> None:
        super().__init__(BusMasterState())

    def registers(self) -> tuple[IoRegion, IoRegion]:
        """Return ``piix-bmdma``, command and status, and ``bmdma``, the pointer; 4 bytes each.

        Of the first only byte accesses count.
        """
        control = MemoryRegionOps(read=self._read_control, write=self._write_control)
        pointer = MemoryRegionOps(
            read=lambda offset, _size: self.state.pointer >> (8 * offset),
            write=self._write_pointer,
            endianness=Endianness.LITTLE,
        )
        return IoRegion("piix-bmdma", 4, control), IoRegion("bmdma", 4, pointer)

    def _read_control(self, offset: int, size: int) -> int:
        if size == 1 and offset == _COMMAND:
            return self.state.command
        if size == 1 and offset == _STATUS:
            return self.state.status
        return (1 << (8 * size)) - 1

    def _write_control(self, offset: int, value: int, size: int) -> None:
        if size != 1:
            return
        if offset == _COMMAND:
            if (value ^ self.state.command) & _START:
                self.state.status = self.state.status & ~_ACTIVE | (
                    _ACTIVE if value & _START else 0
                )
            self.state.command = value & _COMMAND_BITS
        elif offset == _STATUS:
            kept = self.state.status & _ACTIVE | self.state.status & ~value & _CLEARABLE
            self.state.status = value & _CAPABLE | kept

    def _write_pointer(self, offset: int, value: int, size: int) -> None:
        shift = 8 * offset
        mask = (1 << (8 * size)) - 1
        new = (self.state.pointer & ~(mask << shift)) | ((value & mask) << shift & ~3)
        self.state.pointer = new & 0xFFFF_FFFF


@dataclass(slots=True)
class IdeFunctionState(PciState):
    """Both bus masters."""

    primary: BusMasterState = field(default_factory=BusMasterState)
    secondary: BusMasterState = field(default_factory=BusMasterState)


PCI_IDE = declare("pci-ide", PCI_DEVICE, abstract=True, interfaces=IS_PCI)


class Piix3Ide(PciFunction[IdeFunctionState]):
    """The IDE function.

    Args:
        bus: the bus that it sits on.
        devfn: slot << 3 | function; QEMU's is 9.

    Attributes:
        channels: primary and secondary.
        bmdma_region: ``piix-bmdma-container``, 16 bytes, placed by BAR 4.
    """

    TYPE = declare(
        "piix3-ide", PCI_IDE, buses=(("IDE", "ide.0"), ("IDE", "ide.1")), hotpluggable=False
    )
    hotpluggable = False

    def __init__(self, bus: PciBus, devfn: int) -> None:
        super().__init__(IdeFunctionState(), bus, devfn, _IDENTITY)
        self.config.set(STATUS, STATUS_DEVSEL_MEDIUM | STATUS_FAST_BACK, 2)
        self.channels = tuple(BusMasterChannel() for _ in range(CHANNELS))
        inner: list[tuple[int, IoRegion]] = []
        for index, channel in enumerate(self.channels):
            control, pointer = channel.registers()
            base = index * CHANNEL_BYTES
            inner += [(base, control), (base + _POINTER, pointer)]
        name = "piix-bmdma-container"
        self.bmdma_region = self.make(
            IoRegion(name, BAR_SIZE, None, tuple(inner), is_container=True)
        )
        self.add_bar(BAR_SLOT, self.bmdma_region, BAR_IO)

    @property
    def blocks(self) -> Mapping[str, BusMasterChannel]:
        """The bus masters of both channels."""
        return dict(zip(("primary", "secondary"), self.channels, strict=True))

    def reset(self) -> None:
        """Reset the header and both channels."""
        super().reset()
        for channel in self.channels:
            channel.reset()
