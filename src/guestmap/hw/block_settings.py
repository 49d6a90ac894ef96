"""The settings that all drives have, whatever they hang on: QEMU's ``DEFINE_BLOCK_PROPERTIES``."""

from __future__ import annotations

from guestmap.hw.declare import ON_OFF_AUTO, setting
from guestmap.qom import BOOL, SIZE, STR, UINT32

NO_NUMBER = 0xFFFF_FFFF
"""A number of 32 bits that nobody chose."""
_BLOCK_SIZE = "A power of two between 512 B and 2 MiB"
_SWITCH = "on/off/auto"

UNIT = setting("unit", UINT32, NO_NUMBER)
"""A drive's place on its bus."""
BLOCK_SETTINGS = (
    setting("drive", STR, description="Node name or ID of a block device to use as a backend"),
    setting("backend_defaults", ON_OFF_AUTO, "auto", _SWITCH),
    setting("logical_block_size", SIZE, 0, _BLOCK_SIZE),
    setting("physical_block_size", SIZE, 0, _BLOCK_SIZE),
    setting("min_io_size", SIZE, 0),
    setting("opt_io_size", SIZE, 0),
    setting("discard_granularity", SIZE, NO_NUMBER),
    setting("write-cache", ON_OFF_AUTO, "auto", _SWITCH),
    setting("share-rw", BOOL, False),
    setting("account-invalid", ON_OFF_AUTO, "auto", _SWITCH),
    setting("account-failed", ON_OFF_AUTO, "auto", _SWITCH),
)
