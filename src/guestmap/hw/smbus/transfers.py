"""The transfers of an SMBus host: what it says to a slave, and what it keeps of the answer.

SMBus specification 2.0, section 5.5 (bus protocols), and Intel 82371AB (PIIX4) data sheet, section
7.3. A block may go through the buffer at once, or byte by byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.device import RegisterBlock
from guestmap.hw.smbus import registers as reg
from guestmap.hw.smbus.registers import PmSmbusState
from guestmap.hw.smbus.slave import GeneralCall

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from guestmap.hw.smbus.slave import SmbusSlave


class SmbusTransfers(RegisterBlock[PmSmbusState]):
    """A host's side of the bus.

    Args:
        slaves: what is on the bus, by seven-bit address.
    """

    def __init__(self, slaves: Mapping[int, SmbusSlave]) -> None:
        super().__init__(PmSmbusState())
        self._slaves = {0: GeneralCall(slaves.values()), **slaves}
        self._transfers: dict[int, Callable[[SmbusSlave, bool], None]] = {
            reg.QUICK: self._quick,
            reg.BYTE: self._byte,
            reg.BYTE_DATA: self._byte_data,
            reg.WORD_DATA: self._word_data,
            reg.BLOCK_DATA: self._read_block_data,
            reg.I2C_READ: self._i2c_read,
        }

    @property
    def _buffered(self) -> bool:
        return bool(self.state.registers[reg.AUXILIARY] & reg.BUFFER)

    def _transfer(self) -> None:
        registers = self.state.registers
        kind = registers[reg.CONTROL] >> 2 & 7
        is_read = bool(registers[reg.ADDRESS] & 1)
        slave = self._slaves.get(registers[reg.ADDRESS] >> 1)
        run = self._transfers.get(kind)
        if registers[reg.STATUS] & reg.ERROR or run is None:
            registers[reg.STATUS] |= reg.ERROR
        elif kind == reg.BLOCK_DATA and not is_read:
            self._start_block_write(slave)
        elif slave is None:
            registers[reg.STATUS] |= reg.ERROR
        else:
            run(slave, is_read)

    def _done(self) -> None:
        self.state.registers[reg.STATUS] |= reg.DONE

    def _quick(self, slave: SmbusSlave, is_read: bool) -> None:
        if not is_read:
            slave.write(b"")
        self._done()

    def _byte(self, slave: SmbusSlave, is_read: bool) -> None:
        if is_read:
            self.state.registers[reg.DATA_0] = slave.read_byte()
        else:
            slave.write(bytes((self.state.registers[reg.COMMAND],)))
        self._done()

    def _byte_data(self, slave: SmbusSlave, is_read: bool) -> None:
        registers = self.state.registers
        if is_read:
            slave.write(bytes((registers[reg.COMMAND],)))
            registers[reg.DATA_0] = slave.read_byte()
        else:
            slave.write(bytes((registers[reg.COMMAND], registers[reg.DATA_0])))
        self._done()

    def _word_data(self, slave: SmbusSlave, is_read: bool) -> None:
        registers = self.state.registers
        if is_read:
            slave.write(bytes((registers[reg.COMMAND],)))
            registers[reg.DATA_0] = slave.read_byte()
            registers[reg.DATA_1] = slave.read_byte()
        else:
            slave.write(
                bytes((registers[reg.COMMAND], registers[reg.DATA_0], registers[reg.DATA_1]))
            )
        self._done()

    def _i2c_read(self, slave: SmbusSlave, _is_read: bool) -> None:
        registers = self.state.registers
        slave.write(bytes((registers[reg.DATA_1],)))
        self.state.streaming = registers[reg.ADDRESS] >> 1
        registers[reg.BLOCK] = slave.read_byte()
        self.state.finished = False
        registers[reg.STATUS] |= reg.BUSY | reg.BYTE_DONE

    def _read_block_data(self, slave: SmbusSlave, _is_read: bool) -> None:
        registers = self.state.registers
        slave.write(bytes((registers[reg.COMMAND],)))
        length = slave.read_byte()
        if length > reg.BUFFER_BYTES:
            length = 0
        for index in range(length):
            self.state.buffer[index] = slave.read_byte()
        self.state.index = 0
        self.state.finished = False
        if self._buffered:
            self._done()
        else:
            registers[reg.BLOCK] = self.state.buffer[0]
            registers[reg.STATUS] |= reg.BUSY | reg.BYTE_DONE
        registers[reg.DATA_0] = length

    def _start_block_write(self, slave: SmbusSlave | None) -> None:
        registers = self.state.registers
        if not self._buffered:
            # The slave is first spoken to when the last byte has come.
            self.state.finished = False
            registers[reg.STATUS] |= reg.BUSY | reg.BYTE_DONE
            self.state.buffer[0] = registers[reg.BLOCK]
            self.state.index = 0
            return
        is_complete = self.state.index == registers[reg.DATA_0]
        self.state.index = 0
        self._send_block(slave if is_complete else None)

    def _send_block(self, slave: SmbusSlave | None) -> None:
        registers = self.state.registers
        if slave is None:
            registers[reg.STATUS] |= reg.ERROR
            return
        length = registers[reg.DATA_0]
        slave.write(bytes((registers[reg.COMMAND], length)) + bytes(self.state.buffer[:length]))
        self.state.finished = True
        registers[reg.STATUS] = (registers[reg.STATUS] | reg.DONE) & ~reg.BUSY
