"""The CMOS bytes a machine's maker sets: memory sizes, equipment, boot order, CPU count.

Locations after the IBM AT's, and SeaBIOS's src/hw/rtc.h for the ones only virtual machines have.
The clock's own registers (0 to 0Dh, and the century at 32h and 37h) belong to the RTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import KIB, MIB
from guestmap.firmware.config import BOOT_DEVICES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from guestmap.firmware.config import FirmwareConfig

FLOPPY_TYPES = 0x10
DISK_TYPES = 0x12
EQUIPMENT = 0x14
BASE_MEMORY = 0x15
EXTENDED_MEMORY = 0x17
EXTENDED_MEMORY_POST = 0x30
MEMORY_ABOVE_16M = 0x34
BOOT_DEVICE_3 = 0x38
BOOT_DEVICES_1_2 = 0x3D
MEMORY_ABOVE_4G = 0x5B
CPU_COUNT = 0x5F
DISK_GEOMETRIES = ((0x19, 0x1B), (0x1A, 0x24))
"""Where the type of each of the first two hard disks is, and the first byte of its geometry."""
DISK_TRANSLATIONS = 0x39

_USER_DEFINED, _TYPE_47 = 0x0F, 47

_EQUIPMENT_FPU, _EQUIPMENT_PS2_MOUSE = 0x02, 0x04
_EQUIPMENT_FLOPPIES = (0x00, 0x01, 0x41)
_BASE_LIMIT_KIB = 640
_WORD_LIMIT = 0xFFFF


def cmos_bytes(config: FirmwareConfig) -> dict[int, int]:
    """Return the bytes to preset, by their index in CMOS (index 0 to 7Fh, value 0 to FFh)."""
    below = config.below_4g
    base_kib = min(below // KIB, _BASE_LIMIT_KIB)
    extended_kib = min(max(0, below - MIB) // KIB, _WORD_LIMIT)
    above_16m = min(max(0, below - 16 * MIB) // (64 * KIB), _WORD_LIMIT)
    above_4g = config.above_4g // (64 * KIB)
    boot = [BOOT_DEVICES[letter] for letter in config.boot_order] + [0, 0, 0]
    return {
        FLOPPY_TYPES: 0,
        EQUIPMENT: _EQUIPMENT_FPU | _EQUIPMENT_PS2_MOUSE,
        **_little_endian(BASE_MEMORY, base_kib, 2),
        **_little_endian(EXTENDED_MEMORY, extended_kib, 2),
        **_little_endian(EXTENDED_MEMORY_POST, extended_kib, 2),
        **_little_endian(MEMORY_ABOVE_16M, above_16m, 2),
        BOOT_DEVICE_3: boot[2] << 4,
        BOOT_DEVICES_1_2: boot[1] << 4 | boot[0],
        **_little_endian(MEMORY_ABOVE_4G, above_4g, 3),
        CPU_COUNT: (config.cpus - 1) & 0xFF,
    }


def drive_bytes(
    disks: Mapping[int, tuple[int, int, int, bool]], floppies: Sequence[int] = (0, 0)
) -> dict[int, int]:
    """Return the bytes that tell a BIOS of its drives, by their index in CMOS.

    Args:
        disks: by their places (0 and 1 on the first channel, 2 and 3 on the second): cylinders,
            heads, sectors of a track, and whether the BIOS shows another geometry.
        floppies: the types of both floppy drives; 0 for none.
    """
    present = sum(kind != 0 for kind in floppies)
    found = {
        DISK_TYPES: sum(_USER_DEFINED << 4 * (1 - place) for place in disks if place < 2),
        FLOPPY_TYPES: floppies[0] << 4 | floppies[1],
        EQUIPMENT: _EQUIPMENT_FPU | _EQUIPMENT_PS2_MOUSE | _EQUIPMENT_FLOPPIES[present],
        DISK_TRANSLATIONS: sum(disk[3] << 2 * place for place, disk in disks.items()),
    }
    for place, (kind, first) in enumerate(DISK_GEOMETRIES):
        if place in disks:
            cylinders, heads, sectors, _ = disks[place]
            found[kind] = _TYPE_47
            values = (
                *cylinders.to_bytes(2, "little"), heads, 0xFF, 0xFF, 0xC0 | (heads > 8) << 3,
                *cylinders.to_bytes(2, "little"), sectors,
            )  # fmt: skip
            found |= {first + offset: value for offset, value in enumerate(values)}
    return found


def _little_endian(index: int, value: int, count: int) -> dict[int, int]:
    return {index + byte: value >> 8 * byte & 0xFF for byte in range(count)}
