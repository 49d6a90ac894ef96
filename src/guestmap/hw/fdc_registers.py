"""The registers and phases of a floppy controller (Intel 82078): everything but its commands.

A command takes its parameters byte by byte, is executed, and offers its result byte by byte. Which
phase it is, and whether the controller waits for a byte, the main status register tells (Intel
82078 data sheet, sections 2 and 4).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from guestmap.hw.fdc_commands import INVALID, FdcCommand, find_command
from guestmap.hw.portio import PortEntry, port_regions

if TYPE_CHECKING:
    from guestmap.base import IrqLine
    from guestmap.memory import MemoryRegion, MemorySystem

PORT = 0x3F0
DOR_DRIVE, DOR_DMA = 0x01, 0x08
DSR_RATE = 0x03
ST0_DRIVE_AND_HEAD = 0x07

_DOR_NOT_RESET, _DOR_MOTORS = 0x04, 0x30
_SRB_AT_RESET, _SRB_DRIVE_0, _SRB_MOTORS = 0xC0, 0x20, 0x03
_TDR_BOOT = 0x04
_DSR_RESET, _DSR_POWER_DOWN = 0x80, 0x40
_MSR_READY, _MSR_TO_HOST, _MSR_BUSY = 0x80, 0x40, 0x10
_DIR_CHANGED = 0x80
_ST0_READY_CHANGED = 0xC0
_SENSE_AFTER_RESET = 4


class FdcDrive:
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


class FdcRegisters(ABC):
    """The controller without its commands.

    Attributes:
        regions: (port, region) of the two ``fdc`` regions, 3F1h-3F5h and 3F7h.
    """

    def __init__(self, memory: MemorySystem, irq: IrqLine) -> None:
        self._irq = irq
        self._drives = (FdcDrive(), FdcDrive())
        self._number = 0  # of the selected drive
        self._dor = self._tdr = self._dsr = self._srb = self._msr = 0
        self._st0 = 0  # the status that an interrupt brings
        self._pending = False
        self._sense_left = 0  # how often SENSE INTERRUPT still tells of the reset
        self._command: FdcCommand = INVALID
        self._fifo = bytearray(32)
        self._position = self._length = 0
        entries = (
            PortEntry(1, 5, 1, self._read, self._write),
            PortEntry(7, 1, 1, self._read, self._write),
        )
        self.regions: tuple[tuple[int, MemoryRegion], ...] = port_regions(
            memory, "fdc", PORT, entries
        )

    @abstractmethod
    def _execute(self, name: str) -> None:
        """Execute the command of that name, whose parameters are in the FIFO."""

    def _start_over(self, *, interrupt: bool) -> None:
        self._clear_interrupt()
        self._srb = _SRB_AT_RESET
        self._number = 0
        self._dor = _DOR_NOT_RESET | DOR_DMA
        self._sense_left = 0
        for drive in self._drives:
            drive.seek(0, 0, 1)
        self._to_command_phase()
        if interrupt:
            self._st0 |= _ST0_READY_CHANGED
            self._raise_interrupt()
            self._sense_left = _SENSE_AFTER_RESET

    def _drive(self) -> FdcDrive:
        """Return the selected drive; the boot bit of the tape register exchanges the two."""
        return self._drives[self._number ^ self._tdr >> 2]

    def _sense(self) -> int | None:
        """Return the status byte of SENSE INTERRUPT; None where there is nothing to tell."""
        if self._sense_left:
            self._sense_left -= 1
            return _ST0_READY_CHANGED + _SENSE_AFTER_RESET - self._sense_left - 1
        if self._pending:
            return self._st0 & ~ST0_DRIVE_AND_HEAD | self._number
        return None

    def _sensed(self) -> None:
        self._clear_interrupt()
        self._st0 = _ST0_READY_CHANGED

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
            if value & (_DSR_RESET | _DSR_POWER_DOWN):
                self._start_over(interrupt=True)
            self._dsr = value
        elif offset == 5:
            self._write_fifo(value)
        elif offset == 7:
            self._dsr = value & DSR_RATE

    def _write_dor(self, value: int) -> None:
        self._srb = self._srb & ~(_SRB_MOTORS | _SRB_DRIVE_0) | (value & _DOR_MOTORS) >> 4
        if value & DOR_DRIVE:
            self._srb |= _SRB_DRIVE_0
        if value & _DOR_NOT_RESET and not self._dor & _DOR_NOT_RESET:
            self._start_over(interrupt=True)
        self._number = value & DOR_DRIVE
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
            self._execute(self._command.name)

    def _raise_interrupt(self) -> None:
        self._sense_left = 0
        self._pending = True
        self._irq.set(True)

    def _clear_interrupt(self) -> None:
        self._st0 = 0
        self._pending = False
        self._irq.set(False)
