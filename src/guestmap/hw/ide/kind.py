"""What all IDE drives have: their declared types, with the settings that they share."""

from __future__ import annotations

from guestmap.hw.block_settings import BLOCK_SETTINGS, UNIT
from guestmap.hw.declare import choice, declare, setting
from guestmap.qom import INT32, STR, UINT16, UINT32, UINT64, enum

_ERRORS = enum("BlockdevOnError", ("report", "ignore", "enospc", "stop", "auto"))
_POLICY = "Error handling policy, report/ignore/enospc/stop/auto"
_TRANSLATION = enum("BiosAtaTranslation", ("auto", "none", "lba", "large", "rechs"))

IDE_DEVICE = declare(
    "ide-device",
    "device",
    UNIT,
    bus="IDE",
    abstract=True,
)

_DRIVE_SETTINGS = (
    *BLOCK_SETTINGS,
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
    "ide-hd", IDE_DEVICE, *_DRIVE_SETTINGS, *_GEOMETRY_SETTINGS, _BOOT_INDEX, user_creatable=True
)
IDE_CD = declare("ide-cd", IDE_DEVICE, *_DRIVE_SETTINGS, _BOOT_INDEX, user_creatable=True)
