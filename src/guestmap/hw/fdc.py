"""A floppy controller (Intel 82078) with no drives: enough for a guest to find that out.

The commands are those of the Intel 82078 data sheet, section 5. Whatever would move data ends at
once with an abnormal termination, as QEMU 7.2's does without a medium, so no DMA transfer is ever
asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.fdc_registers import (
    DOR_DMA,
    DOR_DRIVE,
    DSR_RATE,
    ST0_DRIVE_AND_HEAD,
    FdcDrive,
    FdcRegisters,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.base import Clock, IrqLine
    from guestmap.memory import MemorySystem

_ST0_ABNORMAL, _ST0_INVALID, _ST0_SEEK = 0x40, 0x80, 0x20
_ST1_MISSING_MARK, _ST1_END_OF_TRACK = 0x01, 0x80
_ST3_ALWAYS, _ST3_TRACK_0, _ST3_PROTECTED = 0x28, 0x10, 0x40
_SECTOR_512 = 2
_CONFIG_AT_POWER_ON = 0x60  # implied seek, FIFO off
_VERSION, _PART_ID = 0x90, 0x41
_READ_ID_NS = 20_000_000  # a sector header passes by within a turn of the disk


class Fdc(FdcRegisters):
    """The controller.

    Attributes:
        regions: (port, region) of the two ``fdc`` regions, 3F1h-3F5h and 3F7h.
    """

    def __init__(self, memory: MemorySystem, clock: Clock, irq: IrqLine) -> None:
        super().__init__(memory, irq)
        self._clock = clock
        self._read_id_timer = clock.timer(self._finish_read_id)
        self._config, self._precompensation, self._lock = _CONFIG_AT_POWER_ON, 0, False
        self._step, self._head_load, self._power = 0, 0, 0
        self._handlers = self._handler_table()
        self.reset()

    def reset(self) -> None:
        """Go back to the state after the reset wire; what LOCK and CONFIGURE set lives on."""
        self._start_over(interrupt=False)

    def _start_over(self, *, interrupt: bool) -> None:
        self._read_id_timer.cancel()
        super()._start_over(interrupt=interrupt)

    def _execute(self, name: str) -> None:
        self._handlers[name]()

    def _handler_table(self) -> dict[str, Callable[[], None]]:
        result = self._to_result_phase
        table = {
            "sense_interrupt": self._sense_interrupt,
            "seek": self._seek,
            "relative_seek_out": self._seek_out,
            "relative_seek_in": self._seek_in,
            "recalibrate": self._recalibrate,
            "format_track": self._format_track,
            "read_id": self._read_id,
            "specify": self._specify,
            "sense_drive_status": self._sense_drive_status,
            "perpendicular_mode": self._perpendicular_mode,
            "configure": self._configure,
            "powerdown_mode": self._powerdown_mode,
            "drive_specification": self._drive_specification,
            "lock": self._lock_command,
            "dump_registers": self._dump_registers,
            "save": self._save,
            "restore": self._restore,
            "option": self._to_command_phase,
            "version": lambda: result(_VERSION),
            "part_id": lambda: result(_PART_ID),
            "format_and_write": lambda: result(_ST0_INVALID),
            "invalid": lambda: result(_ST0_INVALID),
        }
        for name in ("read_data", "write_data", "read_track", "scan_equal", "verify",
                     "scan_low_or_equal", "scan_high_or_equal"):  # fmt: skip
            table[name] = self._transfer
        for name in ("read_deleted_data", "write_deleted_data"):
            table[name] = self._transfer_deleted
        return table

    def _select(self) -> FdcDrive:
        """Select the drive that the first parameter names."""
        self._number = self._fifo[1] & DOR_DRIVE
        return self._drive()

    def _end_transfer(self, st0: int, st1: int = 0) -> None:
        drive = self._drive()
        self._st0 = self._st0 & ~ST0_DRIVE_AND_HEAD | st0 | drive.head << 2 | self._number
        self._to_result_phase(self._st0, st1, 0, drive.track, drive.head, drive.sector, _SECTOR_512)
        self._raise_interrupt()

    def _transfer(self) -> None:
        track, head, sector = self._fifo[2:5]
        beyond = self._select().seek(track, head, sector)
        self._end_transfer(_ST0_ABNORMAL, _ST1_END_OF_TRACK if beyond else 0)
        self._fifo[3:6] = bytes((track, head, sector))

    def _transfer_deleted(self) -> None:
        self._end_transfer(_ST0_ABNORMAL | _ST0_SEEK)

    def _format_track(self) -> None:
        self._select().last_sector = self._fifo[3]
        self._end_transfer(0)

    def _read_id(self) -> None:
        self._drive().head = self._fifo[1] >> 2 & 1
        self._read_id_timer.arm(self._clock.now_ns() + _READ_ID_NS)

    def _finish_read_id(self) -> None:
        drive = self._drive()
        if drive.last_sector:
            drive.sector = drive.sector % drive.last_sector + 1
        if self._dsr & DSR_RATE:
            self._end_transfer(_ST0_ABNORMAL, _ST1_MISSING_MARK)
        else:
            self._end_transfer(0)

    def _seek(self) -> None:
        drive = self._select()
        drive.seek(self._fifo[2], drive.head, drive.sector)
        self._end_seek()

    def _seek_out(self) -> None:
        drive = self._select()
        drive.seek(max(0, drive.track - self._fifo[2]), drive.head, drive.sector)
        self._end_seek()

    def _seek_in(self) -> None:
        self._select()  # there is no track further in
        self._end_seek()

    def _recalibrate(self) -> None:
        self._select().seek(0, 0, 1)
        self._end_seek()

    def _end_seek(self) -> None:
        self._to_command_phase()
        self._st0 |= _ST0_SEEK
        self._raise_interrupt()

    def _sense_interrupt(self) -> None:
        st0 = self._sense()
        if st0 is None:
            self._to_result_phase(_ST0_INVALID)
            return
        self._to_result_phase(st0, self._drive().track)
        self._sensed()

    def _specify(self) -> None:
        self._step = self._fifo[1] >> 4
        self._head_load = self._fifo[2] >> 1
        self._dor = self._dor & ~DOR_DMA | (0 if self._fifo[2] & 1 else DOR_DMA)
        self._to_command_phase()

    def _sense_drive_status(self) -> None:
        drive = self._select()
        drive.head = self._fifo[1] >> 2 & 1
        track_0 = 0 if drive.track else _ST3_TRACK_0
        self._to_result_phase(
            _ST3_PROTECTED | track_0 | _ST3_ALWAYS | drive.head << 2 | self._number
        )

    def _perpendicular_mode(self) -> None:
        if self._fifo[1] & 0x80:
            self._drive().perpendicular = self._fifo[1] & 7
        self._to_command_phase()

    def _configure(self) -> None:
        self._config, self._precompensation = self._fifo[2:4]
        self._to_command_phase()

    def _powerdown_mode(self) -> None:
        self._power = self._fifo[1]
        self._to_result_phase(self._power)

    def _drive_specification(self) -> None:
        last = self._fifo[self._position - 1]
        if last & 0xC0 == 0xC0:
            self._to_result_phase(self._fifo[1], self._fifo[1], 0, 0)
        elif last & 0x80:
            self._to_command_phase()
        # Else the controller hangs until a reset, as QEMU's does.

    def _lock_command(self) -> None:
        self._lock = bool(self._fifo[0] & 0x80)
        self._to_result_phase(self._lock << 4)

    def _tracks(self) -> tuple[int, int]:
        first = self._tdr >> 2
        return self._drives[first].track, self._drives[first ^ 1].track

    def _lock_and_mode(self) -> int:
        return self._lock << 7 | self._drive().perpendicular << 2

    def _dump_registers(self) -> None:
        drive = self._drive()
        timing = self._head_load << 1 | (self._dor & DOR_DMA) >> 3
        self._to_result_phase(
            *self._tracks(), 0, 0, self._step, timing & 0xFF, drive.last_sector,
            self._lock_and_mode(), self._config, self._precompensation,
        )  # fmt: skip

    def _save(self) -> None:
        drive = self._drive()
        self._to_result_phase(
            0, 0, *self._tracks(), 0, 0, self._step, self._head_load, drive.last_sector,
            self._lock_and_mode(), self._config, self._precompensation, self._power, 0, 0,
        )  # fmt: skip

    def _restore(self) -> None:
        drive, fifo = self._drive(), self._fifo
        first = self._tdr >> 2
        self._drives[first].track, self._drives[first ^ 1].track = fifo[3:5]
        self._step, self._head_load, drive.last_sector = fifo[7:10]
        self._lock = bool(fifo[10] & 0x80)
        drive.perpendicular = fifo[10] >> 2 & 0x0F
        self._config, self._precompensation, self._power = fifo[11:14]
        self._to_command_phase()
