"""The commands of a floppy controller that set it up, and those that tell how it is set up.

Intel 82078 data sheet, section 5: SPECIFY, PERPENDICULAR MODE, CONFIGURE, LOCK and the like, and
DUMPREG, SAVE and RESTORE.
"""

from __future__ import annotations

from guestmap.hw.fdc.registers import DOR_DMA, FdcRegisters


class FdcParameters(FdcRegisters):
    """A controller's parameters; each method is a command, with its bytes in the FIFO."""

    def _specify(self) -> None:
        self.state.step = self.state.fifo[1] >> 4
        self.state.head_load = self.state.fifo[2] >> 1
        self.state.dor = self.state.dor & ~DOR_DMA | (0 if self.state.fifo[2] & 1 else DOR_DMA)
        self._to_command_phase()

    def _perpendicular_mode(self) -> None:
        if self.state.fifo[1] & 0x80:
            self._drive().perpendicular = self.state.fifo[1] & 7
        self._to_command_phase()

    def _configure(self) -> None:
        self.state.config, self.state.precompensation = self.state.fifo[2:4]
        self._to_command_phase()

    def _powerdown_mode(self) -> None:
        self.state.power = self.state.fifo[1]
        self._to_result_phase(self.state.power)

    def _drive_specification(self) -> None:
        last = self.state.fifo[self.state.position - 1]
        if last & 0xC0 == 0xC0:
            self._to_result_phase(self.state.fifo[1], self.state.fifo[1], 0, 0)
        elif last & 0x80:
            self._to_command_phase()
        # Else the controller hangs until a reset, as QEMU's does.

    def _lock_command(self) -> None:
        self.state.lock = bool(self.state.fifo[0] & 0x80)
        self._to_result_phase(self.state.lock << 4)

    def _tracks(self) -> tuple[int, int]:
        first = self.state.tdr >> 2
        return self.state.drives[first].track, self.state.drives[first ^ 1].track

    def _lock_and_mode(self) -> int:
        return self.state.lock << 7 | self._drive().perpendicular << 2

    def _dump_registers(self) -> None:
        drive = self._drive()
        timing = self.state.head_load << 1 | (self.state.dor & DOR_DMA) >> 3
        self._to_result_phase(
            *self._tracks(), 0, 0, self.state.step, timing & 0xFF, drive.last_sector,
            self._lock_and_mode(), self.state.config, self.state.precompensation,
        )  # fmt: skip

    def _save(self) -> None:
        drive, state = self._drive(), self.state
        self._to_result_phase(
            0, 0, *self._tracks(), 0, 0, state.step, state.head_load, drive.last_sector,
            self._lock_and_mode(), state.config, state.precompensation, state.power, 0, 0,
        )  # fmt: skip

    def _restore(self) -> None:
        drive, fifo = self._drive(), self.state.fifo
        first = self.state.tdr >> 2
        self.state.drives[first].track, self.state.drives[first ^ 1].track = fifo[3:5]
        self.state.step, self.state.head_load, drive.last_sector = fifo[7:10]
        self.state.lock = bool(fifo[10] & 0x80)
        drive.perpendicular = fifo[10] >> 2 & 0x0F
        self.state.config, self.state.precompensation, self.state.power = fifo[11:14]
        self._to_command_phase()
