"""What firmware is, and what it is told: images, fw_cfg content, e820, SMBIOS, CMOS.

Functions of a :class:`FirmwareConfig` that return bytes; no devices here.
"""

from guestmap.firmware.cmos import cmos_bytes
from guestmap.firmware.config import FirmwareConfig
from guestmap.firmware.e820 import e820_file
from guestmap.firmware.fw_cfg_items import FwCfgItems, fw_cfg_items
from guestmap.firmware.images import find_bios, load_bios
from guestmap.firmware.smbios import SmbiosFiles, smbios_files

__all__ = [
    "FirmwareConfig",
    "FwCfgItems",
    "SmbiosFiles",
    "cmos_bytes",
    "e820_file",
    "find_bios",
    "fw_cfg_items",
    "load_bios",
    "smbios_files",
]
