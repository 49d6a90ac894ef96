"""The IDE function of the PIIX3, 8086:7010: the bus masters of two channels.

Intel 82371FB/82371SB data sheet (290550), section 2.7: for each of two channels a command, a status
and a descriptor table pointer register, sixteen bytes in all, placed by BAR 4. The ports of the IDE
channels themselves (1F0h, 170h and so on) are ISA addresses and belong to the machine.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import declare
from guestmap.hw.device import IoRegion
from guestmap.hw.ide.bus_master import BusMasterChannel, BusMasterState
from guestmap.hw.pci import PciFunction, PciIdentity
from guestmap.hw.pci.kind import IS_PCI, PCI_DEVICE, PciState
from guestmap.hw.pci.registers import BAR_IO, STATUS, STATUS_DEVSEL_MEDIUM, STATUS_FAST_BACK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guestmap.hw.pci import PciBus

BAR_SLOT, BAR_SIZE = 4, 16
CHANNELS, CHANNEL_BYTES = 2, 8

_IDENTITY = PciIdentity(0x8086, 0x7010, 0x0101, prog_if=0x80)
_POINTER = 4


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
        self.channels = tuple(BusMasterChannel(self.bus_master) for _ in range(CHANNELS))
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
