"""A hard disk on an IDE channel: the commands of ATA/ATAPI-7 (INCITS 397), section 6."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from guestmap.hw.ide import registers as reg
from guestmap.hw.ide.identify import VERSION, Geometry, disk_words
from guestmap.hw.ide.kind import IDE_HD
from guestmap.hw.ide.registers import DRDY, DSC
from guestmap.hw.ide.sectors import SectorUnit
from guestmap.hw.medium import SECTOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guestmap.hw.counted import Requests
    from guestmap.hw.ide.bus_master import BusMasterChannel, Pieces
    from guestmap.hw.medium import Medium
    from guestmap.qom import JsonValue

_SMART_ENABLE, _SMART_DISABLE, _SMART_AUTOSAVE, _SMART_STATUS = 0xD8, 0xD9, 0xD2, 0xDA
_SMART_KEY = (0x4F, 0xC2)
_IGNORED_FEATURES = frozenset({
    0x05, 0x42, 0x55, 0x66, 0x67, 0x69, 0x85, 0x96, 0x9A, 0xAA, 0xC2, 0xCC,
})  # fmt: skip
_TRIM = 0x01


class IdeDisk(SectorUnit):
    """The disk.

    Args:
        medium: where its sectors are.
        number: its place on the channel, 0 or 1.
        settings: its properties: ``serial``, ``drive`` and so on.
    """

    TYPE = IDE_HD
    SIGNATURE = (0, 0)
    is_there = True
    COMMANDS: ClassVar[Mapping[int, tuple[str, bool]]] = MappingProxyType({
        0x06: ("data_set_management", False),
        0x10: ("nothing", True), 0x20: ("read_sectors", False), 0x21: ("read_sectors", False),
        0x24: ("read_sectors_ext", False), 0x25: ("read_dma_ext", False),
        0x27: ("read_native_max_ext", True), 0x29: ("read_multiple_ext", False),
        0x30: ("write_sectors", False), 0x31: ("write_sectors", False),
        0x34: ("write_sectors_ext", False), 0x35: ("write_dma_ext", False),
        0x39: ("write_multiple_ext", False), 0x3C: ("write_sectors", False),
        0x40: ("verify", True), 0x41: ("verify", True), 0x42: ("verify_ext", True),
        0x70: ("nothing", True), 0x90: ("diagnose", False), 0x91: ("set_geometry", True),
        0xB0: ("smart", True),
        0xC4: ("read_multiple", False), 0xC5: ("write_multiple", False),
        0xC6: ("set_multiple", True), 0xC8: ("read_dma", False), 0xC9: ("read_dma", False),
        0xCA: ("write_dma", False), 0xCB: ("write_dma", False),
        0xE7: ("flush", False), 0xEA: ("flush", False), 0xEC: ("identify", False),
        0xEF: ("set_features", True), 0xF8: ("read_native_max", True),
        **dict.fromkeys((*range(0x94, 0x98), 0x99, *range(0xE0, 0xE4), 0xE6), ("nothing", False)),
        **dict.fromkeys((0x98, 0xE5), ("check_power", True)),
    })  # fmt: skip

    def __init__(
        self, medium: Medium, number: int = 0, settings: Mapping[str, JsonValue] | None = None
    ) -> None:
        super().__init__(medium, number, settings)
        self.geometry = Geometry.of(medium)
        self.reset()

    def value(self, name: str, fallback: JsonValue) -> JsonValue:
        """Return a property's value."""
        return {
            "unit": self.number, "ver": VERSION, "cyls": self.geometry.cylinders,
            "heads": self.geometry.heads, "secs": self.geometry.sectors,
            "bios-chs-trans": "lba" if self.geometry.translated else "none",
            "logical_block_size": SECTOR, "physical_block_size": SECTOR,
            "discard_granularity": SECTOR, **self.settings,
        }.get(name, fallback)  # fmt: skip

    def reset(self) -> None:
        """Be as at power-on, counting cylinders as the disk is made."""
        super().reset()
        _, self.state.heads, self.state.track, _ = self.geometry

    # -- through the bus master ------------------------------------------------------------------

    def _read_dma(self, *, wide: bool = False) -> None:
        self._begin(wide=wide)
        self._wait("dma_read")

    def _read_dma_ext(self) -> None:
        self._read_dma(wide=True)

    def _write_dma(self, *, wide: bool = False) -> None:
        self._begin(wide=wide)
        self._wait("dma_write")

    def _write_dma_ext(self) -> None:
        self._write_dma(wide=True)

    def _dma_read(self, master: BusMasterChannel) -> None:
        pieces, sector = self._pieces(master, self.counts.reads), self._address()
        if pieces is None:
            return
        data = self._try(self.medium.read, sector * SECTOR, self.state.sectors * SECTOR)
        if data is not None:
            master.put(pieces, data)
            self._all_moved()
        master.end(pieces, always=bool(self.state.error))

    def _dma_write(self, master: BusMasterChannel) -> None:
        pieces, sector = self._pieces(master, self.counts.writes), self._address()
        if pieces is None:
            return
        if self._write(sector, master.take(pieces)):
            self._all_moved()
        master.end(pieces, always=bool(self.state.error))

    def _pieces(self, master: BusMasterChannel, sort: Requests) -> Pieces | None:
        """Return where the data goes; None where nothing can be moved, which has been said."""
        length = self.state.sectors * SECTOR
        pieces = master.pieces(length)
        if pieces.length < length:
            self.state.status = DRDY | DSC  # the table is too short: no interrupt
        elif not self._is_inside(self._address(), self.state.sectors):
            sort.invalid += 1
            self._abort()
        else:
            return pieces
        master.end(pieces, always=True)
        return None

    def _all_moved(self) -> None:
        self._pass(self.state.sectors)
        self._done()

    def _data_set_management(self) -> None:
        """Take which sectors hold nothing of worth; they keep what they have."""
        if self.state.feature == _TRIM:
            self.state.sectors = self.state.count
            self._wait("dma_ranges")
        else:
            self._abort()

    def _dma_ranges(self, master: BusMasterChannel) -> None:
        count = self.state.sectors
        pieces = master.pieces(count * SECTOR)
        if pieces.length == count * SECTOR:
            self._all_moved()
        else:
            self.state.status = DRDY | DSC
        master.end(pieces, always=not count or pieces.length < count * SECTOR)

    # -- without sectors -------------------------------------------------------------------------

    def _identify(self) -> None:
        serial = str(self.value("serial", ""))
        words = disk_words(self.state, self.geometry, self.sectors, serial)
        self.state.status = DRDY | DSC
        self._offer(words, "stop")
        self.interrupt()

    def _verify(self) -> None:
        self._begin(wide=False)
        self.interrupt()

    def _verify_ext(self) -> None:
        self._begin(wide=True)
        self.interrupt()

    def _read_native_max(self, *, wide: bool = False) -> None:
        self._begin(wide=wide)
        self._put_address(self.sectors - 1)
        self.interrupt()

    def _read_native_max_ext(self) -> None:
        self._read_native_max(wide=True)

    def _diagnose(self) -> None:
        self.sign()
        self.state.status, self.state.error = DRDY | DSC, 1
        self.interrupt()

    def _set_geometry(self) -> None:
        state = self.state
        state.heads = (state.device & reg.DEVICE_HEAD) + 1
        state.track = state.count
        self.interrupt()

    def _set_multiple(self) -> None:
        count = self.state.count
        if count > reg.MAX_MULTIPLE or count & (count - 1):
            self._abort()
        else:
            self.state.multiple = count
            self.interrupt()

    def _check_power(self) -> None:
        self.state.count = 0xFF
        self.interrupt()

    def _flush(self) -> None:
        self._try(self.medium.flush)
        if not self.state.error:
            self._done()

    def _set_features(self) -> None:
        match self.state.feature:
            case 0x02:
                self.state.write_cache = True
            case 0x82:
                self.state.write_cache = False
                self._flush()
                return
            case 0x03 if not self._set_mode():
                self._abort()
                return
            case feature if feature != 0x03 and feature not in _IGNORED_FEATURES:
                self._abort()
                return
        self.interrupt()

    def _set_mode(self) -> bool:
        """Note which sort of DMA the guest wants; whether there is such a one."""
        kind, mode = self.state.count >> 3, 1 << (self.state.count & 7) + 8
        words = {0: (7, 7, 0x3F), 1: (7, 7, 0x3F), 2: (7 | mode, 7, 0x3F), 4: (7, 7 | mode, 0x3F),
                 8: (7, 7, 0x3F | mode)}  # fmt: skip
        if kind not in words:
            return False
        self.state.dma_mode = [*words[kind]]
        return True

    def _smart(self) -> None:
        state = self.state
        enabled = state.smart or state.feature == _SMART_ENABLE
        known = (_SMART_ENABLE, _SMART_DISABLE, _SMART_AUTOSAVE, _SMART_STATUS)
        if (state.mid, state.high) != _SMART_KEY or not enabled or state.feature not in known:
            self._abort()
            return
        if state.feature in (_SMART_ENABLE, _SMART_DISABLE):
            state.smart = state.feature == _SMART_ENABLE
        self.interrupt()
