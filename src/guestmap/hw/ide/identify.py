"""What IDENTIFY DEVICE and IDENTIFY PACKET DEVICE tell: 256 words.

Words are numbered as in ATA/ATAPI-7 (INCITS 397), sections 6.16 and 6.17; what a drive can do, and
what it is called, is as with QEMU 7.2's drives, so that a guest finds the same ones.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from guestmap.base.named_tuple import NamedTuple
from guestmap.hw.medium import SECTOR

if TYPE_CHECKING:
    from guestmap.hw.ide.registers import AtaState
    from guestmap.hw.medium import Medium

VERSION = "2.5+"
DISK_MODEL, CDROM_MODEL = "QEMU HARDDISK", "QEMU DVD-ROM"
_LBA_28 = 0x0FFF_FFFF
_MOST_CYLINDERS = 16383
_MASTER_BOOT_RECORD, _PARTITIONS = b"\x55\xaa", range(446, 510, 16)


class Geometry(NamedTuple):
    """Cylinders, heads and sectors of a track, as BIOSes count."""

    cylinders: int
    heads: int
    sectors: int
    translated: bool = False
    """Whether the BIOS shows another geometry, since cylinders are too many for it."""

    @classmethod
    def of(cls, medium: Medium) -> Geometry:
        """Return what a disk says that it has: what its partitions were made with, or a guess."""
        total = medium.size // SECTOR
        cylinders = max(2, min(total // (16 * 63), _MOST_CYLINDERS))
        used = _partitioned(medium.read(0, SECTOR), total) if total else None
        if used is not None and used.heads <= 16:
            return used
        return cls(cylinders, 16, 63, used is not None or cylinders > 1024)


def _partitioned(sector: bytes, total: int) -> Geometry | None:
    """Return the geometry that the end of a partition shows; None where none does."""
    if sector[510:512] != _MASTER_BOOT_RECORD:
        return None
    for at in _PARTITIONS:
        heads, sectors = sector[at + 5] + 1, sector[at + 6] & 63
        length = int.from_bytes(sector[at + 12 : at + 16], "little")
        if length and heads > 1 and sectors:
            cylinders = total // (heads * sectors)
            if 1 <= cylinders <= _MOST_CYLINDERS:
                return Geometry(cylinders, heads, sectors)
    return None


def disk_words(state: AtaState, geometry: Geometry, total: int, serial: str) -> bytes:
    """Return the 512 bytes of a disk with ``total`` sectors."""
    cylinders, heads, sectors, _ = geometry
    old = cylinders * heads * sectors
    commands = 0x4001 | state.write_cache << 5
    words = {
        0: 0x0040, 1: cylinders, 3: heads, 4: 512 * sectors & 0xFFFF, 5: 512, 6: sectors,
        20: 3, 21: 512, 22: 4, 47: 0x8010, 48: 1, 49: 0x0B00, 51: 0x0200, 52: 0x0200, 53: 7,
        54: cylinders, 55: heads, 56: sectors, 57: old & 0xFFFF, 58: old >> 16,
        59: 0x0100 | state.multiple if state.multiple else 0,
        62: state.dma_mode[0], 63: state.dma_mode[1], 64: 3, 65: 120, 66: 120, 67: 120, 68: 120,
        69: 0x4000, 80: 0xF0, 81: 0x16, 82: 0x4021, 83: 0x7400, 84: 0x4000, 85: commands,
        86: 0x3400, 87: 0x4000, 88: state.dma_mode[2], 93: 0x6001, 106: 0x6000, 169: 1,
    }  # fmt: skip
    words |= _number(60, min(total, _LBA_28), 2) | _number(100, total, 4)
    return _packed(words, serial, DISK_MODEL)


def cdrom_words(state: AtaState, serial: str) -> bytes:
    """Return the 512 bytes of a CD-ROM drive."""
    words = {
        0: 0x85C0, 20: 3, 21: 512, 22: 4, 48: 1, 49: 0x0300, 53: 7, 62: state.dma_mode[0],
        63: state.dma_mode[1], 64: 3, 65: 0xB4, 66: 0xB4, 67: 0x12C, 68: 0xB4, 71: 30, 72: 30,
        80: 0x1E, 88: state.dma_mode[2],
    }  # fmt: skip
    return _packed(words, serial, CDROM_MODEL)


def _number(first: int, value: int, count: int) -> dict[int, int]:
    return {first + index: value >> 16 * index & 0xFFFF for index in range(count)}


def _packed(words: dict[int, int], serial: str, model: str) -> bytes:
    content = bytearray(struct.pack("<256H", *(words.get(index, 0) for index in range(256))))
    for first, text, length in ((10, serial, 20), (23, VERSION, 8), (27, model, 40)):
        padded = text.encode("ascii", "replace")[:length].ljust(length)
        # The first of two characters is a word's upper byte.
        content[2 * first : 2 * first + length] = b"".join(
            padded[at : at + 2][::-1] for at in range(0, length, 2)
        )
    return bytes(content)
