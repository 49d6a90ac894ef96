"""A floppy drive, and what lies in it. Where its heads are, its controller keeps."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from guestmap.hw.block_settings import BLOCK_SETTINGS, UNIT
from guestmap.hw.counted import CountedMedium, DriveCounts
from guestmap.hw.declare import declare, setting
from guestmap.hw.device import DeviceModel, Stateless
from guestmap.hw.fdc.shape import EMPTY_DRIVE, FloppyShape
from guestmap.hw.medium import SECTOR
from guestmap.qom import enum

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guestmap.hw.medium import Medium
    from guestmap.qom import JsonValue

DRIVE_TYPE = enum("FdcDriveType", ("144", "288", "120", "none", "auto"))
DRIVE_TYPES = "FDC drive type, 144/288/120/none/auto"
_NAMES = MappingProxyType({2: "120", 4: "144", 5: "288"})
"""The types of drives: their numbers in CMOS, and what QEMU calls them."""


class FloppyDrive(DeviceModel[Stateless]):
    """A drive.

    Args:
        number: its place at the controller, 0 or 1.
        medium: what lies in it; None where it is empty.
        settings: its properties, ``drive`` among them.

    Attributes:
        disk: the medium and what it is like; None where the drive is empty.
        cmos_type: what the drive is, as CMOS names it: one that its medium fits into.
        counts: what has been asked of the medium.

    Raises:
        ConfigError: no floppy disk has the medium's size.
    """

    TYPE = declare(
        "floppy",
        "device",
        UNIT,
        *BLOCK_SETTINGS,
        setting("drive-type", DRIVE_TYPE, "auto", DRIVE_TYPES),
        bus="floppy-bus",
        user_creatable=True,
    )

    def __init__(
        self,
        number: int = 0,
        medium: Medium | None = None,
        settings: Mapping[str, JsonValue] | None = None,
    ) -> None:
        super().__init__(Stateless(), settings)
        self.number = number
        self.counts = DriveCounts()
        self.disk = None
        if medium is not None:
            self.disk = CountedMedium(medium, self.counts), FloppyShape.of(medium)
        self.cmos_type = self.disk[1].drive_type if self.disk is not None else EMPTY_DRIVE

    def value(self, name: str, fallback: JsonValue) -> JsonValue:
        """Return a property's value."""
        return {
            "unit": self.number, "drive-type": _NAMES[self.cmos_type],
            "logical_block_size": SECTOR, "physical_block_size": SECTOR, **self.settings,
        }.get(name, fallback)  # fmt: skip
