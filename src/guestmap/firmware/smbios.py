"""The SMBIOS tables of the machine, as two fw_cfg files.

Structures after DMTF DSP0134 2.8; which there are, and what they hold, as QEMU 7.2 makes them for
pc-i440fx-7.2. Firmware adds the BIOS's own structure (type 0), places the tables, and completes
the anchor's address and checksums.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from guestmap.base import GIB, KIB, MIB
from guestmap.base.dataclass import dataclass

if TYPE_CHECKING:
    from guestmap.firmware.config import FirmwareConfig

_ANCHOR = struct.Struct("<4sBBBBHB5x5sBHIHB")
_MEMORY_ARRAY_HANDLE = 0x1000
_NO_ERROR_HANDLE = 0xFFFE
_UNKNOWN = 0xFFFF
_LARGEST_DIMM = 16 * GIB
_MANUFACTURER = "QEMU"
_CPU_SIGNATURE, _CPU_FEATURES = 0x00060FB1, 0x078BFBFD  # CPUID 1 of QEMU's qemu64: EAX, EDX


@dataclass(frozen=True, slots=True)
class SmbiosFiles:
    """Contents of ``etc/smbios/smbios-anchor`` and ``etc/smbios/smbios-tables``."""

    anchor: bytes
    tables: bytes


def smbios_files(config: FirmwareConfig) -> SmbiosFiles:
    """Return both files for a machine."""
    structures = [_system(config), _chassis(config)]
    structures += [_processor(config, socket) for socket in range(config.sockets)]
    structures += _memory(config)
    structures += [_structure(32, 0x2000, bytes(7)), _structure(127, 0x7F00, b"")]
    tables = b"".join(structures)
    anchor = _ANCHOR.pack(
        b"_SM_", 0, _ANCHOR.size, 2, 8, max(map(len, structures)), 0,
        b"_DMI_", 0, len(tables), 0, len(structures), 0x28,
    )  # fmt: skip
    return SmbiosFiles(anchor, tables)


def _structure(kind: int, handle: int, body: bytes, *strings: str) -> bytes:
    """Return one structure: header, formatted part, and the strings it counts from 1."""
    text = b"".join(string.encode() + b"\0" for string in strings) or b"\0"
    return struct.pack("<BBH", kind, 4 + len(body), handle) + body + text + b"\0"


def _system(config: FirmwareConfig) -> bytes:
    """System information (type 1)."""
    uuid = config.uuid.bytes_le if config.uuid is not None else bytes(16)
    wake_up_power_switch = 6
    body = struct.pack("<4B16s3B", 1, 2, 3, 0, uuid, wake_up_power_switch, 0, 0)
    return _structure(1, 0x100, body, _MANUFACTURER, config.machine_description, config.machine)


def _chassis(config: FirmwareConfig) -> bytes:
    """System enclosure (type 3): kind "other", states "safe", security "unknown"."""
    body = struct.pack("<9BI5B", 1, 1, 2, 0, 0, 3, 3, 3, 2, 0, 0, 0, 0, 0, 0)
    return _structure(3, 0x300, body, _MANUFACTURER, config.machine)


def _processor(config: FirmwareConfig, socket: int) -> bytes:
    """Processor information (type 4): one for each socket."""
    central_processor, other, unknown, populated_enabled = 3, 1, 2, 0x41
    cores, threads = min(config.cores, 0xFF), min(config.cores * config.threads, 0xFF)
    body = struct.pack(
        "<4BIIBBHHHBB3H3B3BHH",
        1, central_processor, other, 2, _CPU_SIGNATURE, _CPU_FEATURES, 3, 0, 0, 2000, 2000,
        populated_enabled, other, _UNKNOWN, _UNKNOWN, _UNKNOWN, 0, 0, 0,
        cores, cores, threads, unknown, other,
    )  # fmt: skip
    return _structure(4, 0x400 + socket, body, f"CPU {socket}", _MANUFACTURER, config.machine)


def _memory(config: FirmwareConfig) -> list[bytes]:
    """Physical memory array (16), its devices (17), the addresses they are mapped at (19)."""
    whole, rest = divmod(config.ram_size, _LARGEST_DIMM)
    dimms = [_LARGEST_DIMM] * whole + ([rest] if rest else [])
    return [
        _memory_array(config.ram_size, len(dimms)),
        *(_memory_device(number, size) for number, size in enumerate(dimms)),
        *(
            _mapped_address(number, start, size)
            for number, (start, size) in enumerate(config.ram_ranges)
        ),
    ]


def _memory_array(ram_size: int, devices: int) -> bytes:
    location_other, use_system_memory, multi_bit_ecc = 1, 3, 6
    extended = 0x80000000
    kib = -(-ram_size // KIB)
    body = struct.pack(
        "<3BIHHQ",
        location_other, use_system_memory, multi_bit_ecc,
        min(kib, extended), _NO_ERROR_HANDLE, devices,
        0 if kib < extended else ram_size,
    )  # fmt: skip
    return _structure(16, _MEMORY_ARRAY_HANDLE, body)


def _memory_device(number: int, size: int) -> bytes:
    form_dimm, type_ram, detail_other = 9, 7, 2
    mib = -(-size // MIB)
    body = struct.pack(
        "<5H4BBHH5BI4H",
        _MEMORY_ARRAY_HANDLE, _NO_ERROR_HANDLE, _UNKNOWN, _UNKNOWN, mib,
        form_dimm, 0, 1, 0, type_ram, detail_other, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    )  # fmt: skip
    return _structure(17, 0x1100 + number, body, f"DIMM {number}", _MANUFACTURER)


def _mapped_address(number: int, start: int, size: int) -> bytes:
    """Memory array mapped address (type 19); KiB up to 4 TiB, bytes beyond."""
    first, last = start // KIB, (start + size - 1) // KIB
    if last < 0xFFFFFFFF:
        body = struct.pack("<IIHBQQ", first, last, _MEMORY_ARRAY_HANDLE, 1, 0, 0)
    else:
        body = struct.pack(
            "<IIHBQQ", 0xFFFFFFFF, 0xFFFFFFFF, _MEMORY_ARRAY_HANDLE, 1, start, start + size - 1
        )
    return _structure(19, 0x1300 + number, body)
