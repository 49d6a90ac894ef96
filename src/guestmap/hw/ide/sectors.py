"""Sectors of a medium: how registers name them, and their way through the data register.

ATA/ATAPI-7 (INCITS 397), section 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.counted import CountedMedium
from guestmap.hw.ide import registers as reg
from guestmap.hw.ide.registers import DRDY, DSC
from guestmap.hw.ide.unit import IdeUnit
from guestmap.hw.medium import SECTOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guestmap.hw.medium import Medium
    from guestmap.qom import JsonValue


class SectorUnit(IdeUnit):
    """A unit whose commands move sectors.

    Args:
        medium: where its sectors are.
        number: its place on the channel, 0 or 1.
        settings: its properties.
    """

    TAKING = frozenset({"sectors_written"})

    def __init__(
        self, medium: Medium, number: int, settings: Mapping[str, JsonValue] | None
    ) -> None:
        super().__init__(number, settings)
        self.medium = CountedMedium(medium, self.counts)
        self.sectors = medium.size // SECTOR

    def _fits(self) -> bool:
        """Whether what is being written is whole sectors, and as many as the command has left."""
        sectors, rest = divmod(len(self.state.buffer), SECTOR)
        return not self._takes or (not rest and 0 < sectors <= self.state.sectors)

    # -- addresses ---------------------------------------------------------------------------------

    def _begin(self, *, wide: bool) -> None:
        """Take the number of sectors and the width of the address of a command."""
        state = self.state
        state.wide = wide
        count = state.count | state.before[1] << 8 if wide else state.count
        state.sectors = count or (0x10000 if wide else 0x100)

    def _address(self) -> int:
        """Return the sector that the registers name; negative for one before the first."""
        state = self.state
        if not state.device & reg.DEVICE_LBA:
            cylinder, head = state.high << 8 | state.mid, state.device & reg.DEVICE_HEAD
            return (cylinder * state.heads + head) * state.track + state.low - 1
        low = state.high << 16 | state.mid << 8 | state.low
        if state.wide:
            return int.from_bytes(state.before[2:], "little") << 24 | low
        return (state.device & reg.DEVICE_HEAD) << 24 | low

    def _put_address(self, sector: int) -> None:
        """Have the registers name a sector."""
        state = self.state
        if not state.device & reg.DEVICE_LBA:
            track, state.low = divmod(sector, max(1, state.track))
            state.low += 1
            cylinder, head = divmod(track, max(1, state.heads))
            state.mid, state.high = cylinder & 0xFF, cylinder >> 8 & 0xFF
            state.device = state.device & ~reg.DEVICE_HEAD | head & reg.DEVICE_HEAD
            return
        state.low, state.mid, state.high = sector & 0xFF, sector >> 8 & 0xFF, sector >> 16 & 0xFF
        if state.wide:
            state.before = state.before[:2] + (sector >> 24 & 0xFFFFFF).to_bytes(3, "little")
        else:
            state.device = state.device & ~reg.DEVICE_HEAD | sector >> 24 & reg.DEVICE_HEAD

    def _is_inside(self, sector: int, count: int) -> bool:
        return sector >= 0 and sector + count <= self.sectors

    def _pass(self, count: int) -> None:
        """Note that so many sectors have been moved."""
        self._put_address(self._address() + count)
        self._leave(self.state.sectors - count)

    def _leave(self, sectors: int) -> None:
        """Note how many sectors are yet to be moved: the count register shows it."""
        self.state.sectors, self.state.count = sectors, sectors & 0xFF

    # -- through the data register -----------------------------------------------------------------

    def _read_sectors(self, block: int = 1, *, wide: bool = False) -> None:
        self._begin(wide=wide)
        self.state.block = block
        self._sectors_read()

    def _read_sectors_ext(self) -> None:
        self._read_sectors(wide=True)

    def _read_multiple(self, *, wide: bool = False) -> None:
        if self.state.multiple:
            self._read_sectors(self.state.multiple, wide=wide)
        else:
            self._abort()

    def _read_multiple_ext(self) -> None:
        self._read_multiple(wide=True)

    def _sectors_read(self) -> None:
        """Offer the next DRQ block, if there is one."""
        state = self.state
        state.status, state.error = DRDY | DSC, 0
        count, sector = min(state.sectors, state.block), self._address()
        if not count:
            self._stop()
            return
        data = None
        if not self._is_inside(sector, count):
            self.counts.reads.invalid += 1
            self._abort()
        else:
            data = self._try(self.medium.read, sector * SECTOR, count * SECTOR)
        if data is not None:
            self._pass(count)
            self._offer(data, "sectors_read")
            self.interrupt()

    def _write_sectors(self, block: int = 1, *, wide: bool = False) -> None:
        state = self.state
        self._begin(wide=wide)
        state.block = block
        state.status = DRDY | DSC
        self._ask(min(state.sectors, block) * SECTOR, "sectors_written")

    def _write_sectors_ext(self) -> None:
        self._write_sectors(wide=True)

    def _write_multiple(self, *, wide: bool = False) -> None:
        if self.state.multiple:
            self._write_sectors(self.state.multiple, wide=wide)
        else:
            self._abort()

    def _write_multiple_ext(self) -> None:
        self._write_multiple(wide=True)

    def _sectors_written(self) -> None:
        """Write a DRQ block that is complete, and ask for the next."""
        state = self.state
        if not self._write(self._address(), state.buffer):
            return
        state.status = DRDY | DSC
        self._pass(len(state.buffer) // SECTOR)
        if state.sectors:
            self._ask(min(state.sectors, state.block) * SECTOR, "sectors_written")
        else:
            self._stop()
        self.interrupt()

    def _write(self, sector: int, data: bytes) -> bool:
        """Put sectors on the medium; where that cannot be, the command is aborted."""
        if self.medium.readonly or not self._is_inside(sector, len(data) // SECTOR):
            self.counts.writes.invalid += 1
            self._abort()
            return False
        self._try(self.medium.write, sector * SECTOR, data)
        if self.state.error == 0 and not self.state.write_cache:
            self._try(self.medium.flush)
        return self.state.error == 0
