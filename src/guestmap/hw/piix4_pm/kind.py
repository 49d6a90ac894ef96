"""The declared type of the PIIX4's power management, and its state: all its register blocks."""

from __future__ import annotations

from dataclasses import field

from guestmap.base.dataclass import dataclass
from guestmap.hw.acpi.apm import ApmState
from guestmap.hw.acpi.cpu_hotplug import CpuHotplugState
from guestmap.hw.acpi.memory_hotplug import MemoryHotplugState
from guestmap.hw.acpi.pci_hotplug import PORT as PCI_HOTPLUG_PORT
from guestmap.hw.acpi.pci_hotplug import PORT_BYTES as PCI_HOTPLUG_BYTES
from guestmap.hw.acpi.pci_hotplug import PciHotplugState
from guestmap.hw.acpi.pm import (
    GPE_BYTES,
    GPE_PORT,
    AcpiPmState,
)
from guestmap.hw.declare import declare, fact, output, setting
from guestmap.hw.pci.kind import IS_PCI, PCI_DEVICE, PciState
from guestmap.hw.smbus.registers import PmSmbusState
from guestmap.qom import BOOL, UINT8, UINT16, UINT32

ENABLE_ACPI, DISABLE_ACPI = 0xF1, 0xF0
"""What ACPI writes to port B2h to take over, and to let go."""

PIIX4_PM = declare(
    "PIIX4_PM",
    PCI_DEVICE,
    setting("smb_io_base", UINT32, 0),
    setting("disable_s3", UINT8, 0),
    setting("disable_s4", UINT8, 0),
    setting("s4_val", UINT8, 2),
    setting("acpi-pci-hotplug-with-bridge-support", BOOL, True),
    setting("acpi-root-pci-hotplug", BOOL, True),
    setting("memory-hotplug-support", BOOL, True),
    setting("smm-compat", BOOL, False),
    setting("smm-enabled", BOOL, False),
    setting("x-not-migrate-acpi-index", BOOL, False),
    output("smi-irq[0]"),
    output("unnamed-gpio-out[0]"),
    interfaces=("acpi-device-interface", *IS_PCI, "hotplug-handler"),
    hotpluggable=False,
    once_realized=(
        fact("acpi_enable_cmd", UINT8, ENABLE_ACPI),
        fact("acpi_disable_cmd", UINT8, DISABLE_ACPI),
        fact("gpe0_blk", UINT32, GPE_PORT),
        fact("gpe0_blk_len", UINT32, GPE_BYTES),
        fact("sci_int", UINT16, 9),
        fact("pm_io_base", UINT32, 0),
        fact("cpu-hotplug-legacy", BOOL, True),
        fact("acpi-pcihp-io-base", UINT16, PCI_HOTPLUG_PORT),
        fact("acpi-pcihp-io-len", UINT16, PCI_HOTPLUG_BYTES),
    ),
    buses=(("i2c-bus", "i2c"),),
)


@dataclass(slots=True)
class Piix4PmState(PciState):
    """All its register blocks."""

    apm: ApmState = field(default_factory=ApmState)
    smbus: PmSmbusState = field(default_factory=PmSmbusState)
    pm: AcpiPmState = field(default_factory=AcpiPmState)
    pci_hotplug: PciHotplugState = field(default_factory=PciHotplugState)
    cpu_hotplug: CpuHotplugState = field(default_factory=CpuHotplugState)
    memory_hotplug: MemoryHotplugState | None = None
