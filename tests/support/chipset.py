"""The PCI side of a PC: host bridge, PIIX3 and PIIX4 functions, and whatever is plugged beside."""

from __future__ import annotations

from guestmap.base import GIB, MIB, IrqLine, ManualClock
from guestmap.hw.acpi.pm import PowerActions
from guestmap.hw.device import Space
from guestmap.hw.i440fx import I440FX
from guestmap.hw.ide.piix3 import Piix3Ide
from guestmap.hw.pci import ConfigMechanism, PciBridge, PciBus, PciTestDevice
from guestmap.hw.piix3 import Piix3
from guestmap.hw.piix4_pm import Piix4Pm
from guestmap.machine.placement import MapPlacer
from guestmap.memory import MemorySystem
from guestmap.memory.map import UNASSIGNED_IO_OPS

CONFIG_ADDRESS, CONFIG_DATA = 0xCF8, 0xCFC
HOST, ISA, IDE, PM = 0x00, 0x08, 0x09, 0x0B


class Chipset:
    """As QEMU 7.2 wires it, with RAM below 4 GiB only and no other device."""

    def __init__(self, *, ram: int = 128 * MIB, smm: bool = True, cpus: int = 1) -> None:
        self.memory = MemorySystem(enforce_readonly=False)
        self.clock = ManualClock()
        self.requests: list[str] = []
        self.system_region = self.memory.container("system", 1 << 64)
        self.io_region = self.memory.io("io", 0x10000, UNASSIGNED_IO_OPS)
        self.system = self.memory.address_space("memory", self.system_region)
        self.io = self.memory.address_space("I/O", self.io_region)
        self.ram = self.memory.ram("pc.ram", ram)
        self.system_region.add_subregion(0, self.memory.alias("ram-below-4g", self.ram, 0, ram))
        self.pci_region = self.memory.container("pci", 1 << 64)
        self.system_region.add_subregion(0, self.pci_region, -1)
        placer = MapPlacer(self.memory)
        self.bus = PciBus(placer, self.pci_region, self.io_region, self.system_region)
        self.host = I440FX(self.bus, self.system_region, self.ram)
        self.mechanism = ConfigMechanism(self.bus)
        placer.place({Space.IO: self.io_region}, self.mechanism)
        self.lines = [IrqLine(name=f"line {n}") for n in range(16)]
        self.isa = Piix3(self.bus, ISA, self.lines, lambda: self.requests.append("reset"))
        self.ide = Piix3Ide(self.bus, IDE)
        self.pm = Piix4Pm(
            self.bus,
            PM,
            self.clock,
            self.lines[9],
            actions=PowerActions(
                lambda: self.requests.append("off"), lambda: self.requests.append("suspend")
            ),
            apic_ids=range(cpus),
            cpus=cpus,
            raise_smi=(lambda: self.requests.append("smi")) if smm else None,
        )
        self.smram_view = self.memory.container("memory", 1 << 64)
        self.smram_view.add_subregion(0, self.memory.alias("smram", self.host.smram, 0, 4 * GIB), 1)
        self.smram = self.memory.address_space("cpu-smm-0", self.smram_view)

    def bridge(self, slot: int, chassis: int = 1, bus: PciBus | None = None) -> PciBridge:
        """Plug a bridge in."""
        return PciBridge(bus or self.bus, slot << 3, chassis=chassis)

    def test_device(self, slot: int, membar: int = 0, bus: PciBus | None = None) -> PciTestDevice:
        """Plug a test device in."""
        return PciTestDevice(bus or self.bus, slot << 3, membar=membar)

    def config_load(self, bdf: int, register: int, size: int) -> int:
        """Read a register as a guest does."""
        self.io.store(CONFIG_ADDRESS, 4, 1 << 31 | bdf << 8 | register & 0xFC)
        return self.io.load(CONFIG_DATA + (register & 3), size)

    def config_store(self, bdf: int, register: int, size: int, value: int) -> None:
        """Write a register as a guest does."""
        self.io.store(CONFIG_ADDRESS, 4, 1 << 31 | bdf << 8 | register & 0xFC)
        self.io.store(CONFIG_DATA + (register & 3), size, value)

    def config(self, bdf: int) -> bytes:
        """Return the whole configuration space of a function."""
        words = (self.config_load(bdf, register, 4) for register in range(0, 256, 4))
        return b"".join(word.to_bytes(4, "little") for word in words)

    def reset(self) -> None:
        """Reset as the machine does."""
        self.bus.reset()

    def where(self, name: str) -> list[tuple[int, int]]:
        """Return (start, size) of every range of ``name`` in the memory and then the I/O view."""
        return [
            (found.start, found.size)
            for space in (self.system, self.io)
            for found in space.view.ranges
            if found.region.name == name
        ]

    def causes(self) -> list[str]:
        """Return the causes of all commits so far."""
        return [record.cause for record in self.memory.history]
