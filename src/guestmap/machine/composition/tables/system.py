"""CPUs and their interrupt controllers, and what hangs on the system bus."""

from __future__ import annotations

from guestmap.hw.declare import SWITCH, declare, fact, secret, setting
from guestmap.qom import (
    BOOL,
    INT,
    INT32,
    SIZE,
    STR,
    STRING,
    UINT8,
    UINT16,
    UINT32,
    UINT64,
    link,
    opaque,
)

_CPU_FAMILY, _CPU_MODEL, _CPU_STEPPING = 15, 107, 1
_CPU_NAME = "QEMU Virtual CPU version 2.5+"
_HPET_WIRES = 32

SYSTEM_TYPES = (
    declare(
        "cpu", "device",
        fact("memory", link("memory-region"), ""),
        fact("start-powered-off", BOOL, False),
        secret("legacy-memory", STR),
        abstract=True,
    ),
    declare(
        "x86_64-cpu", "cpu",
        fact("family", INT, _CPU_FAMILY),
        fact("model", INT, _CPU_MODEL),
        fact("stepping", INT, _CPU_STEPPING),
        fact("vendor", STRING, "AuthenticAMD"),
        fact("model-id", STRING, _CPU_NAME),
        fact("unavailable-features", opaque("strList"), []),
        fact("phys-bits", UINT32, 40, default=0),
        fact("node-id", INT32, 0, default=-1),
        fact("socket-id", INT32, 0, default=-1),
        fact("die-id", INT32, 0, default=-1),
        fact("core-id", INT32, 0, default=-1),
        fact("thread-id", INT32, 0, default=-1),
        fact("apic-id", UINT32, 0, default=0xFFFF_FFFF),
        abstract=True,
    ),
    declare("qemu64-x86_64-cpu", "x86_64-cpu"),
    declare(
        "apic-common", "device",
        setting("version", UINT8, 20),
        setting("vapic", BOOL, True, SWITCH),
        fact("legacy-instance-id", BOOL, False),
        abstract=True,
    ),
    declare("apic", "apic-common", fact("id", UINT32, 0)),
    declare("kvmvapic", "sys-bus-device", hotpluggable=False),
    declare(
        "fw_cfg", "sys-bus-device",
        setting("acpi-mr-restore", BOOL, True),
        abstract=True,
    ),
    declare(
        "fw_cfg_io", "fw_cfg",
        setting("dma_enabled", BOOL, True),
        setting("x-file-slots", UINT16, 32),
    ),
    declare(
        "pci-host-bridge", "sys-bus-device",
        setting("x-config-reg-migration-enabled", BOOL, True),
        setting("bypass-iommu", BOOL, False),
        abstract=True,
    ),
    declare(
        "i440FX-pcihost", "pci-host-bridge",
        setting("pci-hole64-size", SIZE, 0x8000_0000),
        setting("short_root_bus", UINT32, 0),
        setting("x-pci-hole64-fix", BOOL, True),
        fact("pci-hole-start", UINT32, 0),
        fact("pci-hole-end", UINT32, 0),
        fact("pci-hole64-start", UINT64, 0),
        fact("pci-hole64-end", UINT64, 0),
    ),
    declare("ioapic-common", "sys-bus-device", abstract=True, interfaces=("intctrl",)),
    declare("ioapic", "ioapic-common", setting("version", UINT8, 32)),
    declare(
        "hpet", "sys-bus-device",
        setting("timers", UINT8, 3),
        setting("msi", BOOL, False, SWITCH),
        setting("hpet-intcap", UINT32, 0),
        setting("hpet-offset-saved", BOOL, True),
        once_realized=(
            fact("unnamed-gpio-out[0]", link("irq"), ""),
            *(fact(f"sysbus-irq[{n}]", link("irq"), "") for n in range(_HPET_WIRES)),
        ),
    ),
    declare("ps2-device", "sys-bus-device", abstract=True),
    declare("ps2-kbd", "ps2-device", fact("unnamed-gpio-out[0]", link("irq"), "")),
    declare("ps2-mouse", "ps2-device", fact("unnamed-gpio-out[0]", link("irq"), "")),
    declare("i2c-slave", "device", setting("address", UINT8, 0), abstract=True),
    declare("smbus-device", "i2c-slave", abstract=True),
    declare("smbus-eeprom", "smbus-device"),
)  # fmt: skip
