"""The IDE function of the PIIX3, 8086:7010: bus-master registers, and no drive to move data for.

Intel 82371FB/82371SB data sheet (290550), section 2.7: for each of two channels a command, a status
and a descriptor table pointer register, sixteen bytes in all, placed by BAR 4. Nothing ever asks
for a transfer, so a started channel stays active until it is stopped. The ports of the IDE channels
themselves (1F0h, 170h and so on) are ISA addresses and belong to the machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from guestmap.hw.device import U8, U32
from guestmap.hw.pci import PciDevice, PciIdentity
from guestmap.hw.pci.registers import BAR_IO, STATUS, STATUS_DEVSEL_MEDIUM, STATUS_FAST_BACK
from guestmap.hw.pci.state import PciState
from guestmap.memory import Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from guestmap.hw.pci import PciBus
    from guestmap.memory import MemoryRegion, MemorySystem

BAR_SLOT, BAR_SIZE = 4, 16
CHANNELS, CHANNEL_BYTES = 2, 8

_IDENTITY = PciIdentity(0x8086, 0x7010, 0x0101, prog_if=0x80)
_COMMAND, _STATUS = 0, 2
_POINTER = 4
_START, _COMMAND_BITS = 1 << 0, 0x09
_ACTIVE, _CAPABLE, _CLEARABLE = 1 << 0, 0x60, 0x06


class BusMasterChannel:
    """Command, status and table pointer of one IDE channel.

    Attributes:
        command, status, pointer: the registers.
        control_region: ``piix-bmdma``, 4 bytes: command and status; only byte accesses count.
        pointer_region: ``bmdma``, 4 bytes: the table pointer.
    """

    def __init__(self, memory: MemorySystem, *, owner: object = None) -> None:
        self.command = self.status = self.pointer = 0
        self.control_region: MemoryRegion = memory.io(
            "piix-bmdma",
            4,
            MemoryRegionOps(read=self._read_control, write=self._write_control),
            owner=owner,
        )
        self.pointer_region: MemoryRegion = memory.io(
            "bmdma",
            4,
            MemoryRegionOps(
                read=lambda offset, _size: self.pointer >> (8 * offset),
                write=self._write_pointer,
                endianness=Endianness.LITTLE,
            ),
            owner=owner,
        )

    def _read_control(self, offset: int, size: int) -> int:
        if size == 1 and offset == _COMMAND:
            return self.command
        if size == 1 and offset == _STATUS:
            return self.status
        return (1 << (8 * size)) - 1

    def _write_control(self, offset: int, value: int, size: int) -> None:
        if size != 1:
            return
        if offset == _COMMAND:
            if (value ^ self.command) & _START:
                self.status = self.status & ~_ACTIVE | (_ACTIVE if value & _START else 0)
            self.command = value & _COMMAND_BITS
        elif offset == _STATUS:
            kept = self.status & _ACTIVE | self.status & ~value & _CLEARABLE
            self.status = value & _CAPABLE | kept

    def _write_pointer(self, offset: int, value: int, size: int) -> None:
        shift = 8 * offset
        mask = (1 << (8 * size)) - 1
        new = (self.pointer & ~(mask << shift)) | ((value & mask) << shift & ~3)
        self.pointer = new & 0xFFFF_FFFF

    def reset(self) -> None:
        """Clear all three registers."""
        self.command = self.status = self.pointer = 0


@dataclass(slots=True)
class ChannelState:
    """The registers of a channel."""

    command: U8 = 0
    status: U8 = 0
    pointer: U32 = 0


@dataclass(slots=True)
class Piix3IdeState(PciState):
    """Besides the header: the channels."""

    channels: Annotated[list[ChannelState], Meta(min_length=CHANNELS, max_length=CHANNELS)] = field(
        default_factory=list
    )


class Piix3Ide(PciDevice):
    """The IDE function.

    Args:
        bus: the bus that it sits on.
        devfn: slot << 3 | function; QEMU's is 9.

    Attributes:
        channels: primary and secondary.
        bmdma_region: ``piix-bmdma-container``, 16 bytes, placed by BAR 4.
    """

    hotpluggable = False

    def __init__(self, bus: PciBus, devfn: int, *, owner: object = None) -> None:
        super().__init__(bus, devfn, "piix3-ide", _IDENTITY, owner=owner)
        self.config.set(STATUS, STATUS_DEVSEL_MEDIUM | STATUS_FAST_BACK, 2)
        memory = bus.memory
        self.bmdma_region = memory.container("piix-bmdma-container", BAR_SIZE, owner=self.owner)
        self.channels = tuple(BusMasterChannel(memory, owner=self.owner) for _ in range(CHANNELS))
        for index, channel in enumerate(self.channels):
            base = index * CHANNEL_BYTES
            self.bmdma_region.add_subregion(base, channel.control_region)
            self.bmdma_region.add_subregion(base + _POINTER, channel.pointer_region)
        self.add_bar(BAR_SLOT, self.bmdma_region, BAR_IO)

    def save(self) -> Piix3IdeState:
        """Return a copy of the state."""
        channels = [ChannelState(x.command, x.status, x.pointer) for x in self.channels]
        return Piix3IdeState(**self._header(), channels=channels)

    def load(self, state: PciState) -> None:
        """Go on from a state that was saved."""
        super().load(state)
        assert isinstance(state, Piix3IdeState)
        for channel, saved in zip(self.channels, state.channels, strict=True):
            channel.command, channel.status = saved.command, saved.status
            channel.pointer = saved.pointer

    def reset(self) -> None:
        """Reset the header and both channels."""
        super().reset()
        for channel in self.channels:
            channel.reset()
