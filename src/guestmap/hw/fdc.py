"""A floppy controller (Intel 82078) with no drives: enough for a guest to find that out.

Registers and phases are those of the Intel 82078 data sheet. A command takes its parameters byte by
byte, and offers its result byte by byte; whatever would move data ends at once with an abnormal
termination, as QEMU 7.2's does without a medium, so no DMA transfer is ever asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.fdc_commands import INVALID, FdcCommand, find_command
from guestmap.hw.portio import PortEntry, port_regions

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.base import Clock, IrqLine
    from guestmap.memory import MemoryRegion, MemorySystem

PORT = 0x3F0

_DOR_DRIVE, _DOR_NOT_RESET, _DOR_DMA, _DOR_MOTORS = 0x01, 0x04, 0x08, 0x30
_SRB_AT_RESET, _SRB_DRIVE_0, _SRB_MOTORS = 0xC0, 0x20, 0x03
_TDR_BOOT = 0x04
_DSR_RESET, _DSR_RATE = 0x80, 0x03
_MSR_READY, _MSR_TO_HOST, _MSR_BUSY = 0x80, 0x40, 0x10
_DIR_CHANGED = 0x80

_ST0_ABNORMAL, _ST0_INVALID, _ST0_CHANGED, _ST0_SEEK = 0x40, 0x80, 0xC0, 0x20
_ST0_DRIVE_AND_HEAD = 0x07
_ST1_MISSING_MARK, _ST1_END_OF_TRACK = 0x01, 0x80
_ST3_ALWAYS, _ST3_TRACK_0, _ST3_PROTECTED = 0x28, 0x10, 0x40
_SENSE_AFTER_RESET = 4
_SECTOR_512 = 2
_CONFIG_AT_POWER_ON = 0x60  # implied seek, FIFO off
_VERSION, _PART_ID = 0x90, 0x41
_READ_ID_NS = 20_000_000  # a sector header passes by within a turn of the disk


class _Drive:
    """What the controller remembers of an empty bay."""

    __slots__ = ("head", "last_sector", "perpendicular", "sector", "track")

    def __init__(self) -> None:
        self.head = self.track = self.sector = 0
        self.last_sector = self.perpendicular = 0  # RESTORE and PERPENDICULAR MODE set them

    def seek(self, track: int, head: int, sector: int) -> bool:
        """Move the heads that are not there; without a medium only track 0, head 0 exists.

        Return whether the sector is beyond the end of its track.
        """
        if track or head:
            return False
        if sector > self.last_sector:
            return True
        # The same linear sector counts as being there already.
        here = (self.track + self.head) * self.last_sector + self.sector
        if sector != here:
            self.track, self.head, self.sector = track, head, sector
        return False


class Fdc:
    """The controller.

    Attributes:
        regions: (port, region) of the two ``fdc`` regions, 3F1h-3F5h and 3F7h.
    """

    def __init__(self, memory: MemorySystem, clock: Clock, irq: IrqLine) -> None:
        self._irq = irq
        self._clock = clock
        self._read_id_timer = clock.timer(self._finish_read_id)
        self._drives = (_Drive(), _Drive())
        self._number = 0  # of the selected drive
        self._config, self._precompensation, self._lock = _CONFIG_AT_POWER_ON, 0, False
        self._step, self._head_load, self._power = 0, 0, 0
        self._dor = self._tdr = self._dsr = self._st0 = self._srb = 0
        self._command = INVALID
        self._fifo = bytearray(32)
        self._position = self._length = 0
        self._pending = False
        self._handlers = self._handler_table()
        self.regions: tuple[tuple[int, MemoryRegion], ...] = port_regions(
            memory,
            "fdc",
            PORT,
            (
                PortEntry(1, 5, 1, self._read, self._write),
                PortEntry(7, 1, 1, self._read, self._write),
            ),
        )
        self.reset()

    def reset(self) -> None:
        """Go back to the state after the reset wire; what LOCK and CONFIGURE set lives on."""
        self._start_over(interrupt=False)

    def _start_over(self, *, interrupt: bool) -> None:
        self._clear_interrupt()
        self._srb = _SRB_AT_RESET
        self._number = 0
        self._dor = _DOR_NOT_RESET | _DOR_DMA
        self._sense_left = 0
        self._read_id_timer.cancel()
        for drive in self._drives:
            drive.seek(0, 0, 1)
        self._to_command_phase()
        if interrupt:
            self._st0 |= _ST0_CHANGED
            self._raise_interrupt()
            self._sense_left = _SENSE_AFTER_RESET

    # registers

    def _read(self, offset: int) -> int:
        match offset:
            case 1:
                return self._srb
            case 2:
                return self._dor | self._number
            case 3:
                return self._tdr
            case 4:
                self._dor |= _DOR_NOT_RESET
                return self._msr
            case 5:
                return self._read_fifo()
            case _:
                return _DIR_CHANGED

    def _write(self, offset: int, value: int) -> None:
        value &= 0xFF
        if offset == 2:
            self._write_dor(value)
        elif not self._dor & _DOR_NOT_RESET:
            return
        elif offset == 3:
            self._tdr = value & _TDR_BOOT
        elif offset == 4:
            if value & _DSR_RESET:
                self._start_over(interrupt=True)
            self._dsr = value
        elif offset == 5:
            self._write_fifo(value)
        elif offset == 7:
            self._dsr = value & _DSR_RATE

    def _write_dor(self, value: int) -> None:
        self._srb = self._srb & ~(_SRB_MOTORS | _SRB_DRIVE_0) | (value & _DOR_MOTORS) >> 4
        if value & _DOR_DRIVE:
            self._srb |= _SRB_DRIVE_0
        if value & _DOR_NOT_RESET and not self._dor & _DOR_NOT_RESET:
            self._start_over(interrupt=True)
        self._number = value & _DOR_DRIVE
        self._dor = value

    # phases

    def _to_command_phase(self) -> None:
        self._position = self._length = 0
        self._msr = _MSR_READY

    def _to_result_phase(self, *result: int) -> None:
        self._fifo[: len(result)] = bytes(result)
        self._position, self._length = 0, len(result)
        self._msr |= _MSR_BUSY | _MSR_READY | _MSR_TO_HOST

    def _read_fifo(self) -> int:
        if not (self._msr & _MSR_READY and self._msr & _MSR_TO_HOST):
            return 0
        value = self._fifo[self._position]
        self._position += 1
        if self._position >= self._length:
            self._clear_interrupt()
            self._to_command_phase()
        return value

    def _write_fifo(self, value: int) -> None:
        if not self._msr & _MSR_READY or self._msr & _MSR_TO_HOST:
            return
        if self._position == 0:
            self._command = find_command(value)
            self._length = self._command.parameters + 1
            self._msr |= _MSR_BUSY
        self._fifo[self._position] = value
        self._position += 1
        if self._position == self._length:
            self._msr &= ~_MSR_READY
            self._handlers[self._command.name]()

    def _raise_interrupt(self) -> None:
        self._sense_left = 0
        self._pending = True
        self._irq.set(True)

    def _clear_interrupt(self) -> None:
        self._st0 = 0
        self._pending = False
        self._irq.set(False)

    # commands

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

    def _select(self) -> _Drive:
        """Select the drive that the first parameter names."""
        self._number = self._fifo[1] & _DOR_DRIVE
        return self._drive()

    def _drive(self) -> _Drive:
        """Return the selected drive; the boot bit of the tape register exchanges the two."""
        return self._drives[self._number ^ self._tdr >> 2]

    def _end_transfer(self, st0: int, st1: int = 0) -> None:
        drive = self._drive()
        self._st0 = self._st0 & ~_ST0_DRIVE_AND_HEAD | st0 | drive.head << 2 | self._number
        self._to_result_phase(
            self._st0, st1, 0, drive.track, drive.head, drive.sector, _SECTOR_512
        )
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
        if self._dsr & _DSR_RATE:
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
        if self._sense_left:
            st0 = _ST0_CHANGED + _SENSE_AFTER_RESET - self._sense_left
            self._sense_left -= 1
        elif self._pending:
            st0 = self._st0 & ~_ST0_DRIVE_AND_HEAD | self._number
        else:
            self._to_result_phase(_ST0_INVALID)
            return
        self._to_result_phase(st0, self._drive().track)
        self._clear_interrupt()
        self._st0 = _ST0_CHANGED

    def _specify(self) -> None:
        self._step = self._fifo[1] >> 4
        self._head_load = self._fifo[2] >> 1
        self._dor = self._dor & ~_DOR_DMA | (0 if self._fifo[2] & 1 else _DOR_DMA)
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
        timing = self._head_load << 1 | (self._dor & _DOR_DMA) >> 3
        self._to_result_phase(
            *self._tracks(), 0, 0, self._step, timing & 0xFF, drive.last_sector, self._lock_and_mode(),
            self._config, self._precompensation,
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


