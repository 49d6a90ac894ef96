"""The registers and phases of a floppy controller (Intel 82078): everything but its commands.

A command takes its parameters byte by byte, is executed, and offers its result byte by byte. Which
phase it is, and whether the controller waits for a byte, the main status register tells (Intel
82078 data sheet, sections 2 and 4).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Literal

from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U8, U32, DeviceModel, Ns, Place
from guestmap.hw.fdc.commands import find_command
from guestmap.hw.portio import PortEntry, port_places

if TYPE_CHECKING:
    from guestmap.base import IrqLine

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


_FIFO_BYTES = 32
_CONFIG_AT_POWER_ON = 0x60  # implied seek, FIFO off


@dataclass(slots=True)
class FdcDrive:
    """What the controller remembers of an empty bay."""

    head: U8 = 0
    track: U8 = 0
    sector: U8 = 0
    last_sector: U8 = 0
    perpendicular: U8 = 0
    """RESTORE and PERPENDICULAR MODE set these two."""

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


@dataclass(slots=True)
class FdcState:
    """The registers, the phase, and what commands have set.

    Attributes:
        number: of the selected drive.
        st0: the status that an interrupt brings.
        sense_left: how often SENSE INTERRUPT still tells of the reset.
        config, precompensation, lock, step, head_load, power: what commands have set.
        moving: whether data is read from the medium, or written to it, or neither.
        offset, left: where on the medium, and how many bytes there may yet be.
        read_id_ns: when a sector header passes by; None where none is waited for.
    """

    drives: Annotated[list[FdcDrive], Meta(min_length=2, max_length=2)] = field(
        default_factory=lambda: [FdcDrive(), FdcDrive()]
    )
    number: Annotated[int, Meta(ge=0, le=1)] = 0
    dor: U8 = 0
    tdr: Annotated[int, Meta(ge=0, le=_TDR_BOOT)] = 0
    dsr: U8 = 0
    srb: U8 = 0
    msr: U8 = 0
    st0: U8 = 0
    pending: bool = False
    sense_left: Annotated[int, Meta(ge=0, le=_SENSE_AFTER_RESET)] = 0
    fifo: Annotated[bytearray, Meta(min_length=_FIFO_BYTES, max_length=_FIFO_BYTES)] = field(
        default_factory=lambda: bytearray(_FIFO_BYTES)
    )
    position: Annotated[int, Meta(ge=0, lt=_FIFO_BYTES)] = 0
    length: Annotated[int, Meta(ge=0, le=_FIFO_BYTES)] = 0
    config: U8 = _CONFIG_AT_POWER_ON
    precompensation: U8 = 0
    lock: bool = False
    step: U8 = 0
    head_load: U8 = 0
    power: U8 = 0
    moving: Literal["", "read", "write"] = ""
    offset: U32 = 0
    left: U32 = 0
    read_id_ns: Ns | None = None


class FdcRegisters(DeviceModel[FdcState]):
    """The controller without its commands."""

    def __init__(self, irq: IrqLine) -> None:
        super().__init__(FdcState())
        self._irq = irq

    def places(self) -> tuple[Place, ...]:
        """Return the two ``fdc`` regions, 3F1h-3F5h and 3F7h."""
        entries = (
            PortEntry(1, 5, 1, self._read, self._write),
            PortEntry(7, 1, 1, self._read, self._write),
        )
        return port_places("fdc", PORT, entries)

    def _has_medium(self) -> bool:
        """Whether something lies in the selected drive."""
        return False

    @abstractmethod
    def _execute(self, name: str) -> None:
        """Execute the command of that name, whose parameters are in the FIFO."""

    def _start_over(self, *, interrupt: bool) -> None:
        self._clear_interrupt()
        self.state.srb = _SRB_AT_RESET
        self.state.number = 0
        self.state.dor = _DOR_NOT_RESET | DOR_DMA
        self.state.sense_left = 0
        for drive in self.state.drives:
            drive.seek(0, 0, 1)
        self._to_command_phase()
        if interrupt:
            self.state.st0 |= _ST0_READY_CHANGED
            self._raise_interrupt()
            self.state.sense_left = _SENSE_AFTER_RESET

    def _drive(self) -> FdcDrive:
        """Return the selected drive; the boot bit of the tape register exchanges the two."""
        return self.state.drives[self.state.number ^ self.state.tdr >> 2]

    def _sense(self) -> int | None:
        """Return the status byte of SENSE INTERRUPT; None where there is nothing to tell."""
        if self.state.sense_left:
            self.state.sense_left -= 1
            return _ST0_READY_CHANGED + _SENSE_AFTER_RESET - self.state.sense_left - 1
        if self.state.pending:
            return self.state.st0 & ~ST0_DRIVE_AND_HEAD | self.state.number
        return None

    def _sensed(self) -> None:
        self._clear_interrupt()
        self.state.st0 = _ST0_READY_CHANGED

    # registers

    def _read(self, offset: int) -> int:
        match offset:
            case 1:
                return self.state.srb
            case 2:
                return self.state.dor | self.state.number
            case 3:
                return self.state.tdr
            case 4:
                self.state.dor |= _DOR_NOT_RESET
                return self.state.msr
            case 5:
                return self._read_fifo()
            case _:
                return 0 if self._has_medium() else _DIR_CHANGED

    def _write(self, offset: int, value: int) -> None:
        value &= 0xFF
        if offset == 2:
            self._write_dor(value)
        elif not self.state.dor & _DOR_NOT_RESET:
            return
        elif offset == 3:
            self.state.tdr = value & _TDR_BOOT
        elif offset == 4:
            if value & (_DSR_RESET | _DSR_POWER_DOWN):
                self._start_over(interrupt=True)
            self.state.dsr = value
        elif offset == 5:
            self._write_fifo(value)
        elif offset == 7:
            self.state.dsr = value & DSR_RATE

    def _write_dor(self, value: int) -> None:
        self.state.srb = self.state.srb & ~(_SRB_MOTORS | _SRB_DRIVE_0) | (value & _DOR_MOTORS) >> 4
        if value & DOR_DRIVE:
            self.state.srb |= _SRB_DRIVE_0
        if value & _DOR_NOT_RESET and not self.state.dor & _DOR_NOT_RESET:
            self._start_over(interrupt=True)
        self.state.number = value & DOR_DRIVE
        self.state.dor = value

    # phases

    def _to_command_phase(self) -> None:
        self.state.position = self.state.length = 0
        self.state.msr = _MSR_READY

    def _to_result_phase(self, *result: int) -> None:
        self.state.fifo[: len(result)] = bytes(result)
        self.state.position, self.state.length = 0, len(result)
        self.state.msr |= _MSR_BUSY | _MSR_READY | _MSR_TO_HOST

    def _read_fifo(self) -> int:
        if not (self.state.msr & _MSR_READY and self.state.msr & _MSR_TO_HOST):
            return 0
        value = self.state.fifo[self.state.position]
        self.state.position += 1
        if self.state.position >= self.state.length:
            self._clear_interrupt()
            self._to_command_phase()
        return value

    def _write_fifo(self, value: int) -> None:
        if not self.state.msr & _MSR_READY or self.state.msr & _MSR_TO_HOST:
            return
        if self.state.position == 0:
            self.state.length = find_command(value).parameters + 1
            self.state.msr |= _MSR_BUSY
        self.state.fifo[self.state.position] = value
        self.state.position += 1
        if self.state.position >= self.state.length:
            self.state.msr &= ~_MSR_READY
            self._execute(find_command(self.state.fifo[0]).name)

    def _raise_interrupt(self) -> None:
        self.state.sense_left = 0
        self.state.pending = True
        self._irq.set(True)

    def _clear_interrupt(self) -> None:
        self.state.st0 = 0
        self.state.pending = False
        self._irq.set(False)
