"""The SMBus host controller of the PIIX4: sixty-four ports, one transfer at a time.

Intel 82371AB (PIIX4) data sheet, section 7.3; the block buffer of auxiliary control is the ICH's
(Intel 82801EB data sheet, section 5.20), which QEMU 7.2 switches on. A transfer takes no time. As
in QEMU, one that was started with interrupts off runs when the status is next read, so the guest
sees it busy once. A reset of the machine leaves all of it alone.
"""

from __future__ import annotations

from guestmap.hw.device import IoRegion, Place, Space
from guestmap.hw.smbus import registers as reg
from guestmap.hw.smbus.transfers import SmbusTransfers
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps

PORT = 0xB100
"""Where the firmware finds it, until it is moved."""


class PmSmbus(SmbusTransfers):
    """The host controller. A reset leaves it as it is.

    Args:
        slaves: what is on the bus, by seven-bit address.
    """

    OUTLIVES_RESET = ("registers", "buffer", "index", "finished", "streaming", "deferred")

    def places(self) -> tuple[Place, ...]:
        """Return ``pm-smbus``, 64 bytes, byte accesses only."""
        sizes = AccessSizes(1, 1)
        ops = MemoryRegionOps(
            read=self._read,
            write=self._write,
            endianness=Endianness.LITTLE,
            valid=sizes,
            impl=sizes,
        )
        return (Place(Space.IO, PORT, IoRegion("pm-smbus", reg.PORT_BYTES, ops)),)

    # -- registers -------------------------------------------------------------------------------

    def _read(self, offset: int, _size: int) -> int:
        registers = self.state.registers
        if offset == reg.STATUS:
            status = registers[reg.STATUS]
            if self.state.deferred:
                self.state.deferred = False
                registers[reg.STATUS] &= ~reg.BUSY & 0xFF
                self._transfer()
            return status
        if offset == reg.CONTROL:
            return registers[reg.CONTROL] & reg.CONTROL_READABLE
        if offset == reg.BLOCK:
            return self._read_block()
        known = {reg.COMMAND, reg.ADDRESS, reg.DATA_0, reg.DATA_1, reg.AUXILIARY}
        return registers[offset] if offset in known else 0

    def _write(self, offset: int, value: int, _size: int) -> None:
        value &= 0xFF
        registers = self.state.registers
        if offset == reg.STATUS:
            self._acknowledge(value)
        elif offset == reg.CONTROL:
            self._control(value)
        elif offset == reg.BLOCK:
            self._write_block(value)
        elif offset == reg.AUXILIARY:
            registers[offset] = value & reg.AUXILIARY_BITS
        elif offset in {reg.COMMAND, reg.ADDRESS, reg.DATA_0, reg.DATA_1}:
            registers[offset] = value

    def _control(self, value: int) -> None:
        registers = self.state.registers
        registers[reg.CONTROL] = value & ~reg.START
        if value & reg.START:
            if not self.state.finished:
                self.state.index = 0
                self.state.finished = True
                self.state.streaming = None
            self.state.deferred = not value & reg.INTERRUPT
            if value & reg.INTERRUPT:
                self._transfer()
            else:
                registers[reg.STATUS] |= reg.BUSY
        if value & reg.KILL:
            self.state.finished = True
            self.state.index = 0
            registers[reg.STATUS] = (registers[reg.STATUS] | reg.FAILED) & ~reg.BUSY

    # -- the block buffer ------------------------------------------------------------------------

    def _read_block(self) -> int:
        registers = self.state.registers
        if not self._buffered or self.state.streaming is not None:
            return registers[reg.BLOCK]
        self.state.index %= reg.BUFFER_BYTES
        value = self.state.buffer[self.state.index]
        self.state.index += 1
        if not self.state.finished and self.state.index == registers[reg.DATA_0]:
            self.state.finished = True
            self.state.index = 0
            registers[reg.STATUS] &= ~reg.BUSY & 0xFF
        return value

    def _write_block(self, value: int) -> None:
        if self.state.index >= reg.BUFFER_BYTES:
            self.state.index = 0
        if self._buffered:
            self.state.buffer[self.state.index] = value
            self.state.index += 1
        else:
            self.state.registers[reg.BLOCK] = value

    # -- byte by byte ----------------------------------------------------------------------------

    def _acknowledge(self, value: int) -> None:
        """Clear status bits; acknowledging a byte moves the transfer on."""
        registers = self.state.registers
        next_byte = registers[reg.STATUS] & value & reg.BYTE_DONE
        registers[reg.STATUS] &= ~(value & ~reg.BUSY) & 0xFF
        if (
            not next_byte
            or self.state.finished
            or (self._buffered and self.state.streaming is None)
        ):
            return
        is_read = bool(registers[reg.ADDRESS] & 1) or self.state.streaming is not None
        self.state.index = (self.state.index + 1) % reg.BUFFER_BYTES
        if is_read:
            self._next_read()
        elif self.state.index == registers[reg.DATA_0]:
            is_i2c = registers[reg.CONTROL] >> 2 & 7 == reg.I2C_READ
            self._send_block(None if is_i2c else self._slaves.get(registers[reg.ADDRESS] >> 1))
        else:
            self.state.buffer[self.state.index] = registers[reg.BLOCK]
            registers[reg.STATUS] |= reg.BYTE_DONE

    def _next_read(self) -> None:
        registers = self.state.registers
        slave = self._slaves.get(-1 if self.state.streaming is None else self.state.streaming)
        registers[reg.BLOCK] = (
            slave.read_byte() if slave is not None else self.state.buffer[self.state.index]
        )
        if registers[reg.CONTROL] & reg.LAST_BYTE:
            self.state.finished = True
            self.state.streaming = None
            self.state.index = 0
            registers[reg.STATUS] = (registers[reg.STATUS] | reg.DONE) & ~reg.BUSY
        else:
            registers[reg.STATUS] |= reg.BYTE_DONE
