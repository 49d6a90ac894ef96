"""What a PC's firmware and its ACPI tables are told of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.firmware import FirmwareConfig
from guestmap.firmware.acpi import AcpiConfig, DeviceMemoryRange, ProximityDomain
from guestmap.machine.boards.pc_i440fx import layout
from guestmap.machine.options.smp import with_homes

if TYPE_CHECKING:
    from guestmap.machine.config import MachineConfig


def firmware_config(config: MachineConfig, ram: layout.RamLayout) -> FirmwareConfig:
    """Return what the firmware is told, through CMOS and fw_cfg."""
    return FirmwareConfig(
        below_4g=ram.below, above_4g=ram.above, above_4g_start=ram.above_start,
        cpus=config.cpus, max_cpus=config.max_cpus, sockets=config.sockets,
        threads=config.threads, uuid=config.uuid,
    )  # fmt: skip


def acpi_config(config: MachineConfig, firmware: FirmwareConfig) -> AcpiConfig:
    """Return what the tables are made from."""
    plug = layout.DeviceMemoryLayout.of(config)
    nodes = with_homes(config.numa_nodes, config.topology)
    return AcpiConfig(
        firmware=firmware, smm=config.has_smm, serial=config.serial, parallel=config.parallel,
        device_memory=DeviceMemoryRange(*plug) if plug is not None else None,
        numa_nodes=tuple(ProximityDomain(node.memory, node.cpus) for node in nodes),
        hpet=config.option("hpet"),
    )  # fmt: skip
