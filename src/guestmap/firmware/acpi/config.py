"""What ACPI tables tell of a machine beyond what all firmware is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import GIB, ConfigError
from guestmap.base.dataclass import dataclass

if TYPE_CHECKING:
    from guestmap.firmware.config import FirmwareConfig

MOST_SLOTS = 256
SEABIOS_PM_BASE = 0x600
"""The port at which SeaBIOS places the PIIX4's power management registers."""

PCI_HOLE64_BYTES = 2 * GIB


@dataclass(frozen=True, slots=True)
class DeviceMemoryRange:
    """The addresses that memory devices are plugged into.

    Attributes:
        start: first address.
        size: bytes.
        slots: DIMMs there may be; 0 leaves the range without a hot-plug controller.

    Raises:
        ConfigError: more than 256 slots, or none of a range.
    """

    start: int
    size: int
    slots: int

    def __post_init__(self) -> None:
        if not 0 <= self.slots <= MOST_SLOTS:
            raise ConfigError(f"unsupported amount of memory slots: {self.slots}")
        if self.start < 0 or self.size <= 0:
            raise ConfigError(f"no room for memory devices: 0x{self.size:x} bytes")

    @property
    def end(self) -> int:
        """The address after the last."""
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class ProximityDomain:
    """One proximity domain.

    Attributes:
        memory: bytes of the machine's RAM; nodes share it out in their order.
        cpus: indexes of its CPUs, among all that there may ever be.
    """

    memory: int
    cpus: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class AcpiConfig:
    """A PC's board, as its ACPI tables describe it.

    Attributes:
        firmware: memory and CPUs.
        smm: whether ACPI mode is switched on by an SMI; without, it is on from reset.
        serial: whether a serial port is at 3F8h.
        parallel: whether a parallel port is at 378h.
        device_memory: where memory may be plugged in.
        numa_nodes: as configured; none means one of everything where memory may be plugged in.
        pm_base: the port at which firmware will place the power management registers.
        hpet: whether there is a high precision event timer.

    Raises:
        ConfigError: nodes that do not share out the RAM exactly.
    """

    firmware: FirmwareConfig
    smm: bool = False
    serial: bool = False
    parallel: bool = False
    device_memory: DeviceMemoryRange | None = None
    numa_nodes: tuple[ProximityDomain, ...] = ()
    pm_base: int = SEABIOS_PM_BASE
    hpet: bool = True

    def __post_init__(self) -> None:
        total = sum(node.memory for node in self.numa_nodes)
        if self.numa_nodes and total != self.firmware.ram_size:
            raise ConfigError(
                f"total memory for NUMA nodes (0x{total:x}) should equal RAM size"
                f" (0x{self.firmware.ram_size:x})"
            )

    @property
    def slots(self) -> int:
        """DIMMs that may be plugged in."""
        return self.device_memory.slots if self.device_memory is not None else 0

    @property
    def nodes(self) -> tuple[ProximityDomain, ...]:
        """The proximity domains there are: none on a machine without NUMA and hot-plug."""
        if self.numa_nodes or self.device_memory is None:
            return self.numa_nodes
        everyone = frozenset(range(self.firmware.total_cpus))
        return (ProximityDomain(self.firmware.ram_size, everyone),)

    @property
    def pci_hole64(self) -> tuple[int, int]:
        """Start and end of the addresses above all memory that PCI devices may use."""
        firmware = self.firmware
        end = firmware.above_4g_start + firmware.above_4g
        if self.device_memory is not None:
            end = max(end, self.device_memory.end)
        start = -(-end // GIB) * GIB
        return start, start + PCI_HOLE64_BYTES
