"""What all IDE drives have: their declared types, with the settings that they share."""

from __future__ import annotations

from guestmap.hw.declare import ON_OFF_AUTO, choice, declare, setting
from guestmap.qom import BOOL, INT32, SIZE, STR, UINT16, UINT32, UINT64, enum

_BLOCK_SIZE = "A power of two between 512 B and 2 MiB"
_SWITCH = "on/off/auto"
_ERRORS = enum("BlockdevOnError", ("report", "ignore", "enospc", "stop", "auto"))
_POLICY = "Error handling policy, report/ignore/enospc/stop/auto"
_TRANSLATION = enum("BiosAtaTranslation", ("auto", "none", "lba", "large", "rechs"))
_NO_NUMBER = 0xFFFF_FFFF

IDE_DEVICE = declare(
    "ide-device",
    "device",
    setting("unit", UINT32, _NO_NUMBER),
    bus="IDE",
    abstract=True,
)

_BLOCK_SETTINGS = (
    setting("drive", STR, description="Node name or ID of a block device to use as a backend"),
    setting("backend_defaults", ON_OFF_AUTO, "auto", _SWITCH),
    setting("logical_block_size", SIZE, 0, _BLOCK_SIZE),
    setting("physical_block_size", SIZE, 0, _BLOCK_SIZE),
    setting("min_io_size", SIZE, 0),
    setting("opt_io_size", SIZE, 0),
    setting("discard_granularity", SIZE, _NO_NUMBER),
    setting("write-cache", ON_OFF_AUTO, "auto", _SWITCH),
    setting("share-rw", BOOL, False),
    setting("account-invalid", ON_OFF_AUTO, "auto", _SWITCH),
    setting("account-failed", ON_OFF_AUTO, "auto", _SWITCH),
    setting("rerror", _ERRORS, "auto", _POLICY),
    setting("werror", _ERRORS, "auto", _POLICY),
    setting("ver", STR),
    setting("wwn", UINT64, 0),
    setting("serial", STR),
    setting("model", STR),
)
_GEOMETRY_SETTINGS = (
    *(setting(name, UINT32, 0) for name in ("cyls", "heads", "secs")),
    *(setting(name, UINT32, 0) for name in ("lcyls", "lheads", "lsecs")),
    setting(
        "bios-chs-trans", _TRANSLATION, "auto",
        "Logical CHS translation algorithm, auto/none/lba/large/rechs",
    ),
    setting("rotation_rate", UINT16, 0),
)  # fmt: skip
_BOOT_INDEX = choice("bootindex", INT32, -1)

IDE_HD = declare(
    "ide-hd", IDE_DEVICE, *_BLOCK_SETTINGS, *_GEOMETRY_SETTINGS, _BOOT_INDEX, user_creatable=True
)
IDE_CD = declare("ide-cd", IDE_DEVICE, *_BLOCK_SETTINGS, _BOOT_INDEX, user_creatable=True)
