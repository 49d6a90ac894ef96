"""The memory map that firmware starts from: fw_cfg's ``etc/e820``.

QEMU, docs/specs/fw_cfg.rst and include/standard-headers: entries of 20 bytes, the same as INT 15h
E820h returns them. Only RAM and what QEMU itself reserves is listed; firmware adds its own.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.firmware.config import FirmwareConfig

E820_RAM, E820_RESERVED = 1, 2

HYPERTRANSPORT_START = 0xFD_0000_0000
HYPERTRANSPORT_SIZE = 0x3_0000_0000
"""Addresses that AMD's IOMMU takes for itself: FD00000000h to FFFFFFFFFFh."""

_ENTRY = struct.Struct("<QQI")  # address, bytes, type


def e820_file(config: FirmwareConfig) -> bytes:
    """Return the content of ``etc/e820``."""
    entries = [(start, size, E820_RAM) for start, size in config.ram_ranges]
    if config.reserve_hypertransport:
        entries.insert(0, (HYPERTRANSPORT_START, HYPERTRANSPORT_SIZE, E820_RESERVED))
    return b"".join(_ENTRY.pack(*entry) for entry in entries)
