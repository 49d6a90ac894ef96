"""Everything fw_cfg holds for firmware: items by number, and files by name.

Numbers after QEMU's docs/specs/fw_cfg.rst and include/standard-headers/linux/qemu_fw_cfg.h;
the set is what QEMU 7.2 gives to pc-i440fx-7.2 with no kernel, disk or option ROM. File keys follow
from the names: the device numbers files in the order of their names.
"""

from __future__ import annotations

import struct
from dataclasses import field
from typing import TYPE_CHECKING

from guestmap.base import GIB
from guestmap.base.dataclass import dataclass
from guestmap.firmware.e820 import e820_file
from guestmap.firmware.smbios import smbios_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guestmap.firmware.acpi.config import AcpiConfig
    from guestmap.firmware.config import FirmwareConfig

SIGNATURE, ID, UUID, RAM_SIZE, NOGRAPHIC, NB_CPUS, MACHINE_ID = (
    0x00,
    0x01,
    0x02,
    0x03,
    0x04,
    0x05,
    0x06,
)
NUMA, BOOT_MENU, MAX_CPUS = 0x0D, 0x0E, 0x0F
ACPI_TABLES, SMBIOS_ENTRIES, IRQ0_OVERRIDE, HPET = 0x8000, 0x8001, 0x8002, 0x8004

_ID_TRADITIONAL_AND_DMA = 3
_HPET_TIMERS = 8
_HPET_CAPABILITY, _HPET_ADDRESS = 0x8086A201, 0xFED00000
_NEVER = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class FwCfgItems:
    """Contents to put into the device.

    Attributes:
        numbered: by item key.
        files: by file name.
    """

    numbered: dict[int, bytes] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


def fw_cfg_items(
    config: FirmwareConfig,
    more_files: Mapping[str, bytes] | None = None,
    *,
    board: AcpiConfig | None = None,
    acpi: bool = True,
) -> FwCfgItems:
    """Return the items of a machine.

    Args:
        config: the machine.
        more_files: files that come from elsewhere: ACPI tables, the user's own ``opt/`` files.
        board: has NUMA nodes and memory that may be plugged in; None for a machine with neither.
        acpi: whether there are ACPI tables and a power management function.
    """
    numbered = _numbered(config) | {NUMA: _numa(config, board)}
    if board is not None and not board.hpet:
        numbered[HPET] = b"\xff".ljust(len(numbered[HPET]), b"\0")  # there is none to count
    return FwCfgItems(numbered, _files(config, board, acpi) | dict(more_files or {}))


def microvm_items(config: FirmwareConfig) -> FwCfgItems:
    """Return the items of a microvm, which says less of itself than a PC does."""
    fail_wait = config.boot_fail_wait_ms
    numbered = _numbered(config)
    for key in (ACPI_TABLES, SMBIOS_ENTRIES, HPET):
        del numbered[key]
    files = {
        "bios-geometry": b"",
        "bootorder": b"",
        "etc/boot-fail-wait": struct.pack("<I", _NEVER if fail_wait is None else fail_wait),
        "etc/e820": e820_file(config),
    }
    return FwCfgItems(numbered, files)


def _numa(config: FirmwareConfig, board: AcpiConfig | None) -> bytes:
    """Return how many nodes there are, each APIC ID's node, and the bytes of RAM in each node."""
    nodes = board.nodes if board is not None else ()
    homes = [0] * config.apic_id_limit
    for number, apic_id in enumerate(config.apic_ids):
        homes[apic_id] = next((n for n, node in enumerate(nodes) if number in node.cpus), 0)
    words = (len(nodes), *homes, *(node.memory for node in nodes))
    return struct.pack(f"<{len(words)}Q", *words)


def _numbered(config: FirmwareConfig) -> dict[int, bytes]:
    return {
        SIGNATURE: b"QEMU",
        ID: struct.pack("<I", _ID_TRADITIONAL_AND_DMA),
        UUID: config.uuid.bytes if config.uuid is not None else bytes(16),
        RAM_SIZE: struct.pack("<Q", config.ram_size),
        NOGRAPHIC: struct.pack("<H", config.nographic),
        NB_CPUS: struct.pack("<H", config.cpus),
        BOOT_MENU: struct.pack("<H", config.boot_menu),
        MAX_CPUS: struct.pack("<H", config.apic_id_limit),
        ACPI_TABLES: b"",
        SMBIOS_ENTRIES: b"",
        IRQ0_OVERRIDE: struct.pack("<I", 1),  # the PIT is wired to I/O APIC input 2
        HPET: _hpet(),
    }


def _hpet() -> bytes:
    """Return the HPETs there are: one of eight possible, as block ID, address, minimum tick."""
    blocks = struct.pack("<IQHB", _HPET_CAPABILITY, _HPET_ADDRESS, 0, 0)
    return b"\x01" + blocks.ljust(_HPET_TIMERS * len(blocks), b"\0")


def _files(config: FirmwareConfig, board: AcpiConfig | None, acpi: bool) -> dict[str, bytes]:
    smbios = smbios_files(config)
    fail_wait = config.boot_fail_wait_ms
    files = {
        "bios-geometry": b"",
        "bootorder": b"",
        "etc/boot-fail-wait": struct.pack("<I", _NEVER if fail_wait is None else fail_wait),
        "etc/e820": e820_file(config),
        "etc/smbios/smbios-anchor": smbios.anchor,
        "etc/smbios/smbios-tables": smbios.tables,
    }
    if acpi:
        # Which of S0 to S5 exist (bit 7), and for S3 to S5 the SLP_TYP value to enter it.
        files["etc/system-states"] = bytes([0x80, 0, 0, 0x81, 0x82, 0x80])
        files["etc/tpm/log"] = b""
    plug = board.device_memory if board is not None else None
    if plug is not None:
        files["etc/reserved-memory-end"] = struct.pack("<Q", -(-plug.end // GIB) * GIB)
    if config.boot_menu_wait_ms is not None:
        files["etc/boot-menu-wait"] = struct.pack("<H", config.boot_menu_wait_ms)
    return files
