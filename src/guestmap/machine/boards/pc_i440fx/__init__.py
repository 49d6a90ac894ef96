"""The PC: i440FX and PIIX, wired as QEMU 7.2's ``pc-i440fx-7.2`` (hw/i386/pc_piix.c)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from guestmap.base import MIB
from guestmap.machine.boards.declare import (
    AUTO_SWITCH,
    BOOL,
    IRQCHIP,
    SIZE,
    STRING,
    SWITCH,
    BoardOption,
    BoardType,
)
from guestmap.machine.options.drive import DriveSpec

if TYPE_CHECKING:
    from guestmap.machine.boards.pc_i440fx.board import Pc


def _load() -> type[Pc]:
    from guestmap.machine.boards.pc_i440fx.board import Pc

    return Pc


PC_I440FX: Final = BoardType(
    name="pc-i440fx-7.2",
    alias="pc",
    description="Standard PC (i440FX + PIIX, 1996)",
    load=_load,
    is_default=True,
    default_ram=128 * MIB,
    min_ram=MIB,
    ram_id="pc.ram",
    cpu_type="qemu64-x86_64-cpu",
    max_cpus=255,
    cpus_are_listed=True,
    firmware=(("bios-256k.bin", "apt install seabios"),),
    display_adapters=("std", "cirrus"),
    drive_interfaces=("ide", "floppy"),
    network_cards=("e1000",),
    defaults=MappingProxyType({"vga": "std", "serial": True, "parallel": True, "nic": "e1000"}),
    default_drives=(DriveSpec(media="cdrom", index=2), DriveSpec(interface="floppy", index=0)),
    options=(
        BoardOption("acpi", SWITCH, "Enable ACPI", True, "acpi"),
        BoardOption(
            "hpet", BOOL, "Enable/disable high precision event timer emulation", True
        ),
        BoardOption("kernel-irqchip", IRQCHIP, "Configure KVM in-kernel irqchip", "off"),
        BoardOption(
            "max-ram-below-4g", SIZE, "Maximum ram below the 4G boundary (32bit boundary)",
            0xE000_0000, "max_ram_below_4g",
        ),
        BoardOption(
            "memory-backend", STRING, "Set RAM backendValid value is ID of hostmem based backend",
            "", "memory_backend",
        ),
        BoardOption("smm", AUTO_SWITCH, "Enable SMM", None, "smm"),
        BoardOption("usb", BOOL, "Set on/off to enable/disable usb", False),
    ),
    passed_over=frozenset({
        "accel", "append", "boot", "bus-lock-ratelimit", "confidential-guest-support",
        "default-bus-bypass-iommu", "dt-compatible", "dtb", "dump-guest-core", "dumpdtb",
        "firmware", "graphics", "i8042", "initrd", "kernel", "max-fw-size", "mem-merge",
        "memory", "memory-encryption", "nvdimm", "phandle-start", "pic", "pit", "sata", "sgx-epc",
        "smbios-entry-point-type", "smbus", "smp", "suppress-vmdesc", "vmport",
        "x-oem-id", "x-oem-table-id",
    }),
)  # fmt: skip
