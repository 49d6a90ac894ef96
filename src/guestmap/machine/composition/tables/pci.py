"""PCI functions: the two chips of the machine, and what can be added."""

from __future__ import annotations

from guestmap.hw.declare import ON_OFF_AUTO, SWITCH, declare, fact, setting
from guestmap.qom import BOOL, INT32, SIZE, STR, UINT8, UINT16, UINT32, link

_ANY_SIZE = 0xFFFF_FFFF_FFFF_FFFF
_PCI = "conventional-pci-device"

PCI_TYPES = (
    declare(
        "pci-device", "device",
        setting("addr", INT32, -1, "Slot and optional function number, example: 06.0 or 06"),
        setting("romfile", STR),
        setting("romsize", UINT32, 0xFFFF_FFFF),
        setting("rombar", UINT32, 1),
        setting("multifunction", BOOL, False, SWITCH),
        setting("x-pcie-lnksta-dllla", BOOL, True, SWITCH),
        setting("x-pcie-extcap-init", BOOL, True, SWITCH),
        setting("failover_pair_id", STR),
        setting("acpi-index", UINT32, 0),
        fact("legacy-addr", STR, ""),
        abstract=True,
    ),
    declare("i440FX", "pci-device", interfaces=(_PCI,), hotpluggable=False),
    declare("pci-piix3", "pci-device", abstract=True, interfaces=("acpi-dev-aml-interface", _PCI)),
    declare("PIIX3", "pci-piix3", hotpluggable=False),
    declare("pci-ide", "pci-device", abstract=True, interfaces=(_PCI,)),
    declare("piix3-ide", "pci-ide", hotpluggable=False),
    declare(
        "PIIX4_PM", "pci-device",
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
        fact("smi-irq[0]", link("irq"), ""),
        fact("unnamed-gpio-out[0]", link("irq"), ""),
        interfaces=("acpi-device-interface", _PCI, "hotplug-handler"),
        hotpluggable=False,
        once_realized=(
            fact("acpi_enable_cmd", UINT8, 0xF1),
            fact("acpi_disable_cmd", UINT8, 0xF0),
            fact("gpe0_blk", UINT32, 0xAFE0),
            fact("gpe0_blk_len", UINT32, 4),
            fact("sci_int", UINT16, 9),
            fact("pm_io_base", UINT32, 0),
            fact("cpu-hotplug-legacy", BOOL, True),
            fact("acpi-pcihp-io-base", UINT16, 0xAE00),
            fact("acpi-pcihp-io-len", UINT16, 24),
        ),
    ),
    declare("base-pci-bridge", "pci-device", abstract=True),
    declare(
        "pci-bridge", "base-pci-bridge",
        setting("chassis_nr", UINT8, 0),
        setting("msi", ON_OFF_AUTO, "auto", "on/off/auto"),
        setting("shpc", BOOL, True, SWITCH),
        setting("bus-reserve", UINT32, 0xFFFF_FFFF),
        setting("io-reserve", SIZE, _ANY_SIZE),
        setting("mem-reserve", SIZE, _ANY_SIZE),
        setting("pref32-reserve", SIZE, _ANY_SIZE),
        setting("pref64-reserve", SIZE, _ANY_SIZE),
        interfaces=(_PCI, "hotplug-handler"),
    ),
    declare("pci-testdev", "pci-device", setting("membar", SIZE, 0), interfaces=(_PCI,)),
)  # fmt: skip
