"""A floppy controller (Intel 82078) with two drives, which are empty where nobody puts a medium in.

The commands are those of the Intel 82078 data sheet, section 5. Without a medium whatever would
move data ends at once with an abnormal termination, as QEMU 7.2's does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.declare import HAS_AML, ISA_DEVICE, declare, fact, setting
from guestmap.hw.device import rearm
from guestmap.hw.fdc.drive import DRIVE_TYPE, DRIVE_TYPES
from guestmap.hw.fdc.registers import (
    DOR_DRIVE,
    DSR_RATE,
    FdcDrive,
    FdcState,
)
from guestmap.hw.fdc.transfer import ST0_ABNORMAL, ST1_END_OF_TRACK, FdcTransfers
from guestmap.qom import INT32, UINT32

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.base import Clock, IrqLine
    from guestmap.hw.i8257 import I8257

_ST0_INVALID, _ST0_SEEK = 0x80, 0x20
_ST1_MISSING_MARK = 0x01
_ST3_ALWAYS, _ST3_TRACK_0, _ST3_PROTECTED = 0x28, 0x10, 0x40
_SECTOR_512 = 2
_VERSION, _PART_ID = 0x90, 0x41
_READ_ID_NS = 20_000_000  # a sector header passes by within a turn of the disk


class Fdc(FdcTransfers):
    """The controller.

    Args:
        clock: says when a sector header passes by.
        irq: its interrupt line.
        dma: what moves its data.
    """

    TYPE = declare(
        "isa-fdc",
        ISA_DEVICE,
        setting("iobase", UINT32, 0x3F0),
        setting("irq", UINT32, 6),
        setting("dma", UINT32, 2),
        setting("fdtypeA", DRIVE_TYPE, "auto", DRIVE_TYPES),
        setting("fdtypeB", DRIVE_TYPE, "auto", DRIVE_TYPES),
        setting("fallback", DRIVE_TYPE, "288", DRIVE_TYPES),
        fact("bootindexA", INT32, -1),
        fact("bootindexB", INT32, -1),
        interfaces=HAS_AML,
        user_creatable=True,
        buses=(("floppy-bus", "floppy-bus.0"),),
    )
    OUTLIVES_RESET = (
        "drives", "tdr", "dsr", "fifo", "config", "precompensation", "lock", "step", "head_load",
        "power",
    )  # fmt: skip

    def __init__(self, clock: Clock, irq: IrqLine, dma: I8257 | None = None) -> None:
        super().__init__(irq, dma)
        self._clock = clock
        self._read_id_timer = clock.timer(self._finish_read_id)
        self._handlers = self._handler_table()
        self.reset()

    def reset(self) -> None:
        """Go back to the state after the reset wire; what LOCK and CONFIGURE set lives on."""
        self._start_over(interrupt=False)

    def save(self) -> FdcState:
        """Return the registers, and when the header that is waited for passes by."""
        self.state.read_id_ns = self._read_id_timer.deadline_ns
        return super().save()

    def load(self, state: FdcState) -> None:
        """Go on from there."""
        super().load(state)
        rearm(self._read_id_timer, self.state.read_id_ns)

    def _start_over(self, *, interrupt: bool) -> None:
        self._forget_transfer()
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
        self.state.number = self.state.fifo[1] & DOR_DRIVE
        return self._drive()

    def _transfer(self) -> None:
        if self._begin_transfer():
            return
        track, head, sector = self.state.fifo[2:5]
        beyond = self._select().seek(track, head, sector)
        self._end_transfer(ST0_ABNORMAL, ST1_END_OF_TRACK if beyond else 0)
        self.state.fifo[3:6] = bytes((track, head, sector))

    def _transfer_deleted(self) -> None:
        self._end_transfer(ST0_ABNORMAL | _ST0_SEEK)

    def _format_track(self) -> None:
        self._select().last_sector = self.state.fifo[3]
        self._end_transfer(0)

    def _read_id(self) -> None:
        self._drive().head = self.state.fifo[1] >> 2 & 1
        self._read_id_timer.arm(self._clock.now_ns() + _READ_ID_NS)

    def _finish_read_id(self) -> None:
        drive = self._drive()
        if drive.last_sector:
            drive.sector = drive.sector % drive.last_sector + 1
        if self.state.dsr & DSR_RATE:
            self._end_transfer(ST0_ABNORMAL, _ST1_MISSING_MARK)
        else:
            self._end_transfer(0)

    def _seek(self) -> None:
        drive = self._select()
        if (found := self._lies_in()) is not None:
            drive.track = min(self.state.fifo[2], found[1].tracks - 1)
            drive.head = self.state.fifo[1] >> 2 & 1
        else:
            drive.seek(self.state.fifo[2], drive.head, drive.sector)
        self._end_seek()

    def _seek_out(self) -> None:
        drive = self._select()
        drive.seek(max(0, drive.track - self.state.fifo[2]), drive.head, drive.sector)
        self._end_seek()

    def _seek_in(self) -> None:
        self._select()  # there is no track further in
        self._end_seek()

    def _recalibrate(self) -> None:
        drive = self._select()
        if self._has_medium():
            drive.track, drive.head, drive.sector = 0, 0, 1
        else:
            drive.seek(0, 0, 1)
        self._end_seek()

    def _end_seek(self) -> None:
        self._to_command_phase()
        self.state.st0 |= _ST0_SEEK
        self._raise_interrupt()

    def _sense_interrupt(self) -> None:
        st0 = self._sense()
        if st0 is None:
            self._to_result_phase(_ST0_INVALID)
            return
        self._to_result_phase(st0, self._drive().track)
        self._sensed()

    def _sense_drive_status(self) -> None:
        drive = self._select()
        drive.head = self.state.fifo[1] >> 2 & 1
        track_0 = 0 if drive.track else _ST3_TRACK_0
        found = self._lies_in()
        protected = 0 if found is not None and not found[0].readonly else _ST3_PROTECTED
        self._to_result_phase(
            protected | track_0 | _ST3_ALWAYS | drive.head << 2 | self.state.number
        )
