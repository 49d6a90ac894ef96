"""What a floppy disk is like, by the size of its image."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.base.named_tuple import NamedTuple
from guestmap.hw.medium import SECTOR

if TYPE_CHECKING:
    from guestmap.hw.medium import Medium

_KIB = 1024
_KINDS = MappingProxyType({
    160: (40, 1, 8, 2), 180: (40, 1, 9, 2), 320: (40, 2, 8, 2), 360: (40, 2, 9, 2),
    720: (80, 2, 9, 4), 1200: (80, 2, 15, 2), 1440: (80, 2, 18, 4), 1680: (80, 2, 21, 4),
    2880: (80, 2, 36, 5),
})  # fmt: skip
"""By KiB: tracks, heads, sectors of a track, and the type of a drive for it in CMOS."""

EMPTY_DRIVE = 5
"""What a drive is, in CMOS, where no medium says more: one for 2,880 KiB."""


class FloppyShape(NamedTuple):
    """Tracks, heads and sectors of a track of 512 bytes, and the drive's type in CMOS."""

    tracks: int
    heads: int
    sectors: int
    drive_type: int

    @classmethod
    def of(cls, medium: Medium) -> FloppyShape:
        """Return what a medium is like.

        Raises:
            ConfigError: no floppy disk has that size.
        """
        found = _KINDS.get(medium.size // _KIB) if medium.size % _KIB == 0 else None
        if found is None:
            sizes = ", ".join(f"{each}K" for each in _KINDS)
            raise ConfigError(
                f"{medium.name}: no floppy disk has {medium.size} bytes: there are {sizes}"
            )
        return cls(*found)

    def place(self, offset: int) -> tuple[int, int, int]:
        """Return track, head and sector of an offset in bytes."""
        track, rest = divmod(offset // SECTOR, self.heads * self.sectors)
        head, sector = divmod(rest, self.sectors)
        return track, head, sector + 1

    def offset(self, track: int, head: int, sector: int) -> int | None:
        """Return where a sector is, in bytes; None for one that is not there."""
        if track >= self.tracks or head >= self.heads or not 1 <= sector <= self.sectors:
            return None
        return ((track * self.heads + head) * self.sectors + sector - 1) * SECTOR
