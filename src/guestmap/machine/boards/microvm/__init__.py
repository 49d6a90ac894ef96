"""The microvm: no PCI, no ACPI but the reduced hardware's, virtio transports in memory.

As QEMU 7.2's ``-M microvm`` (docs/system/i386/microvm.rst; hw/i386/microvm.c).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from guestmap.base import MIB
from guestmap.machine.boards.declare import (
    BOOL,
    ON_OFF_AUTO,
    STRING,
    SWITCH,
    BoardOption,
    BoardType,
)

if TYPE_CHECKING:
    from guestmap.machine.boards.microvm.board import Microvm


def _load() -> type[Microvm]:
    from guestmap.machine.boards.microvm.board import Microvm

    return Microvm


MICROVM: Final = BoardType(
    name="microvm",
    description="microvm (i386)",
    load=_load,
    default_ram=128 * MIB,
    min_ram=MIB,
    ram_id="microvm.ram",
    cpu_type="qemu64-x86_64-cpu",
    max_cpus=288,
    defaults=MappingProxyType({"serial": True}),
    firmware_halts=False,
    firmware=(
        ("bios-microvm.bin", "apt install seabios"),
        ("qboot.rom", "apt install qemu-system-data"),  # without ACPI
    ),
    options=(
        BoardOption("acpi", SWITCH, "Enable ACPI", True, "acpi"),
        BoardOption(
            "auto-kernel-cmdline", BOOL,
            "Set off to disable adding virtio-mmio devices to the kernel cmdline", True,
        ),
        BoardOption("ioapic2", ON_OFF_AUTO, "Enable second IO-APIC", "auto"),
        BoardOption(
            "isa-serial", BOOL, "Set off to disable the instantiation an ISA serial port", True
        ),
        BoardOption(
            "memory-backend", STRING, "Set RAM backendValid value is ID of hostmem based backend",
            "", "memory_backend",
        ),
        BoardOption("pic", SWITCH, "Enable i8259 PIC", True),
        BoardOption("pit", SWITCH, "Enable i8254 PIT", True),
        BoardOption("rtc", SWITCH, "Enable MC146818 RTC", True),
    ),
    passed_over=frozenset({
        "append", "boot", "bus-lock-ratelimit", "confidential-guest-support", "dt-compatible",
        "dtb", "dump-guest-core", "dumpdtb", "firmware", "graphics", "initrd", "kernel",
        "mem-merge", "memory", "memory-encryption", "pcie", "phandle-start", "sgx-epc", "smm",
        "smp", "suppress-vmdesc", "usb", "x-oem-id", "x-oem-table-id", "x-option-roms",
    }),
)  # fmt: skip
