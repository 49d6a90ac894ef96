"""How data goes between a floppy disk and memory: through channel 2 of the DMA controller.

Intel 82078 data sheet, sections 5.1 and 6: a command reads or writes from a sector on, to the end
of its track or, with the multi-track bit, of the other side's; the DMA controller's terminal count
ends it before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import HostError, PeerError
from guestmap.hw.fdc.parameters import FdcParameters
from guestmap.hw.fdc.registers import DOR_DMA, DOR_DRIVE, ST0_DRIVE_AND_HEAD
from guestmap.hw.medium import SECTOR

if TYPE_CHECKING:
    from guestmap.base import IrqLine
    from guestmap.hw.fdc.drive import FloppyDrive
    from guestmap.hw.fdc.shape import FloppyShape
    from guestmap.hw.i8257 import I8257
    from guestmap.hw.medium import Medium

_CHANNEL = 2
_MULTI_TRACK, _WRITE = 0x80, 0x05
_COMMAND = 0x1F
_SECTOR_512 = 2
_TO_MEMORY = 1
ST0_ABNORMAL = 0x40
ST1_END_OF_TRACK, _ST1_DATA_ERROR, _ST1_NOT_WRITABLE, _ST1_NO_DATA = 0x80, 0x20, 0x02, 0x04


class FdcTransfers(FdcParameters):
    """The controller's transfers.

    Attributes:
        drives: its two drives; None where there is none.
    """

    def __init__(self, irq: IrqLine, dma: I8257 | None) -> None:
        super().__init__(irq)
        self._dma = dma
        self.drives: list[FloppyDrive | None] = [None, None]
        if dma is not None:
            dma.register_channel(_CHANNEL, self._move)

    def attach(self, drive: FloppyDrive) -> None:
        """Put in a drive, at its place."""
        self.drives[drive.number] = drive

    def _lies_in(self) -> tuple[Medium, FloppyShape] | None:
        drive = self.drives[self.state.number ^ self.state.tdr >> 2]
        return drive.disk if drive is not None else None

    def _has_medium(self) -> bool:
        return self._lies_in() is not None

    def _end_transfer(self, st0: int, st1: int = 0) -> None:
        drive = self._drive()
        self.state.st0 = (
            self.state.st0 & ~ST0_DRIVE_AND_HEAD | st0 | drive.head << 2 | self.state.number
        )
        self._to_result_phase(
            self.state.st0, st1, 0, drive.track, drive.head, drive.sector, _SECTOR_512
        )
        self._raise_interrupt()

    def _begin_transfer(self) -> bool:
        """Begin what READ DATA or WRITE DATA asks for; whether there is a medium for it."""
        state = self.state
        state.number = state.fifo[1] & DOR_DRIVE
        found = self._lies_in()
        if found is None:
            return False
        medium, shape = found
        track, head, sector, size, last = state.fifo[2:7]
        offset = shape.offset(track, head, sector)
        writes = state.fifo[0] & _COMMAND == _WRITE
        if offset is None or size != _SECTOR_512 or not state.dor & DOR_DMA or self._dma is None:
            self._end_transfer(ST0_ABNORMAL, _ST1_NO_DATA)
        elif writes and medium.readonly:
            self._end_transfer(ST0_ABNORMAL, _ST1_NOT_WRITABLE)
        else:
            last = min(max(last, sector), shape.sectors)
            count = last - sector + 1
            if state.fifo[0] & _MULTI_TRACK and head == 0 and shape.heads == 2:
                count += last
            state.offset, state.left = offset, count * SECTOR
            state.moving = "write" if writes else "read"
            drive = self._drive()
            drive.track, drive.head, drive.sector = track, head, sector
            self._dma.hold_dreq(_CHANNEL)
        return True

    def _move(self, _channel: int, position: int, length: int) -> int:
        """Move what the DMA controller has room for, all at once."""
        state, found, dma = self.state, self._lies_in(), self._dma
        if not state.moving or found is None or dma is None:
            return position
        medium, shape = found
        # A guest that writes half of the count may have it end before what has been moved.
        count = max(0, min(state.left, length - position, medium.size - state.offset))
        try:
            if state.moving == "write":
                medium.write(state.offset, dma.read_memory(_CHANNEL, position, count))
            else:
                data = medium.read(state.offset, count)
                if dma.mode(_CHANNEL) >> 2 & 3 == _TO_MEMORY:
                    dma.write_memory(_CHANNEL, position, data)
        except (HostError, PeerError):
            self._finish(ST0_ABNORMAL, _ST1_DATA_ERROR)
            return position
        state.offset += count
        state.left -= count
        drive = self._drive()
        drive.track, drive.head, drive.sector = shape.place(state.offset)
        done = position + count >= length
        self._finish(0 if done else ST0_ABNORMAL, 0 if done else ST1_END_OF_TRACK)
        return position + count

    def _finish(self, st0: int, st1: int) -> None:
        self._forget_transfer()
        self._end_transfer(st0, st1)

    def _forget_transfer(self) -> None:
        self.state.moving = ""
        if self._dma is not None:
            self._dma.release_dreq(_CHANNEL)
