"""The SMBus host controller of the PIIX4: sixty-four ports, one transfer at a time.

Intel 82371AB (PIIX4) data sheet, section 7.3; the block buffer of auxiliary control is the ICH's
(Intel 82801EB data sheet, section 5.20), which QEMU 7.2 switches on. A transfer takes no time. As
in QEMU, one that was started with interrupts off runs when the status is next read, so the guest
sees it busy once. A reset of the machine leaves all of it alone.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Annotated

from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.device import IoRegion, Place, RegisterBlock, Space
from guestmap.hw.smbus.slave import GeneralCall
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from guestmap.hw.smbus.slave import SmbusSlave

PORT, PORT_BYTES = 0xB100, 64
"""Where the firmware finds it, until it is moved."""

_STATUS, _CONTROL, _COMMAND, _ADDRESS = 0x0, 0x2, 0x3, 0x4
_DATA_0, _DATA_1, _BLOCK, _AUXILIARY = 0x5, 0x6, 0x7, 0xD
_BUSY, _DONE, _ERROR, _FAILED, _BYTE_DONE = 1 << 0, 1 << 1, 1 << 2, 1 << 4, 1 << 7
_INTERRUPT, _KILL, _LAST_BYTE, _START = 1 << 0, 1 << 1, 1 << 5, 1 << 6
_CONTROL_READABLE = 0x1F
_AUXILIARY_BITS, _BUFFER = 0x03, 1 << 1
_BUFFER_BYTES = 32
_QUICK, _BYTE, _BYTE_DATA, _WORD_DATA, _PROCESS_CALL, _BLOCK_DATA, _I2C_READ = range(7)


def _registers() -> bytearray:
    registers = bytearray(PORT_BYTES)
    registers[_AUXILIARY] = _BUFFER
    return registers


@dataclass(slots=True)
class PmSmbusState:
    """The registers, the block buffer, and how far a transfer is.

    Attributes:
        streaming: the address of the slave that is being read byte by byte.
        deferred: a transfer runs when the status is read next.
    """

    registers: Annotated[bytearray, Meta(min_length=PORT_BYTES, max_length=PORT_BYTES)] = field(
        default_factory=_registers
    )
    buffer: Annotated[bytearray, Meta(min_length=_BUFFER_BYTES, max_length=_BUFFER_BYTES)] = field(
        default_factory=lambda: bytearray(_BUFFER_BYTES)
    )
    index: Annotated[int, Meta(ge=0, le=_BUFFER_BYTES)] = 0
    finished: bool = True
    streaming: Annotated[int, Meta(ge=0, le=0x7F)] | None = None
    deferred: bool = False


class PmSmbus(RegisterBlock[PmSmbusState]):
    """The host controller. A reset leaves it as it is.

    Args:
        slaves: what is on the bus, by seven-bit address.
    """

    OUTLIVES_RESET = ("registers", "buffer", "index", "finished", "streaming", "deferred")

    def __init__(self, slaves: Mapping[int, SmbusSlave]) -> None:
        super().__init__(PmSmbusState())
        self._slaves = {0: GeneralCall(slaves.values()), **slaves}
        self._transfers: dict[int, Callable[[SmbusSlave, bool], None]] = {
            _QUICK: self._quick,
            _BYTE: self._byte,
            _BYTE_DATA: self._byte_data,
            _WORD_DATA: self._word_data,
            _BLOCK_DATA: self._read_block_data,
            _I2C_READ: self._i2c_read,
        }

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
        return (Place(Space.IO, PORT, IoRegion("pm-smbus", PORT_BYTES, ops)),)

    # -- registers -------------------------------------------------------------------------------

    def _read(self, offset: int, _size: int) -> int:
        registers = self.state.registers
        if offset == _STATUS:
            status = registers[_STATUS]
            if self.state.deferred:
                self.state.deferred = False
                registers[_STATUS] &= ~_BUSY & 0xFF
                self._transfer()
            return status
        if offset == _CONTROL:
            return registers[_CONTROL] & _CONTROL_READABLE
        if offset == _BLOCK:
            return self._read_block()
        known = {_COMMAND, _ADDRESS, _DATA_0, _DATA_1, _AUXILIARY}
        return registers[offset] if offset in known else 0

    def _write(self, offset: int, value: int, _size: int) -> None:
        value &= 0xFF
        registers = self.state.registers
        if offset == _STATUS:
            self._acknowledge(value)
        elif offset == _CONTROL:
            self._control(value)
        elif offset == _BLOCK:
            self._write_block(value)
        elif offset == _AUXILIARY:
            registers[offset] = value & _AUXILIARY_BITS
        elif offset in {_COMMAND, _ADDRESS, _DATA_0, _DATA_1}:
            registers[offset] = value

    def _control(self, value: int) -> None:
        registers = self.state.registers
        registers[_CONTROL] = value & ~_START
        if value & _START:
            if not self.state.finished:
                self.state.index = 0
                self.state.finished = True
                self.state.streaming = None
            self.state.deferred = not value & _INTERRUPT
            if value & _INTERRUPT:
                self._transfer()
            else:
                registers[_STATUS] |= _BUSY
        if value & _KILL:
            self.state.finished = True
            self.state.index = 0
            registers[_STATUS] = (registers[_STATUS] | _FAILED) & ~_BUSY

    # -- the block buffer ------------------------------------------------------------------------

    @property
    def _buffered(self) -> bool:
        return bool(self.state.registers[_AUXILIARY] & _BUFFER)

    def _read_block(self) -> int:
        registers = self.state.registers
        if not self._buffered or self.state.streaming is not None:
            return registers[_BLOCK]
        self.state.index %= _BUFFER_BYTES
        value = self.state.buffer[self.state.index]
        self.state.index += 1
        if not self.state.finished and self.state.index == registers[_DATA_0]:
            self.state.finished = True
            self.state.index = 0
            registers[_STATUS] &= ~_BUSY & 0xFF
        return value

    def _write_block(self, value: int) -> None:
        if self.state.index >= _BUFFER_BYTES:
            self.state.index = 0
        if self._buffered:
            self.state.buffer[self.state.index] = value
            self.state.index += 1
        else:
            self.state.registers[_BLOCK] = value

    # -- transfers -------------------------------------------------------------------------------

    def _transfer(self) -> None:
        registers = self.state.registers
        kind = registers[_CONTROL] >> 2 & 7
        is_read = bool(registers[_ADDRESS] & 1)
        slave = self._slaves.get(registers[_ADDRESS] >> 1)
        run = self._transfers.get(kind)
        if registers[_STATUS] & _ERROR or run is None:
            registers[_STATUS] |= _ERROR
        elif kind == _BLOCK_DATA and not is_read:
            self._start_block_write(slave)
        elif slave is None:
            registers[_STATUS] |= _ERROR
        else:
            run(slave, is_read)

    def _done(self) -> None:
        self.state.registers[_STATUS] |= _DONE

    def _quick(self, slave: SmbusSlave, is_read: bool) -> None:
        if not is_read:
            slave.write(b"")
        self._done()

    def _byte(self, slave: SmbusSlave, is_read: bool) -> None:
        if is_read:
            self.state.registers[_DATA_0] = slave.read_byte()
        else:
            slave.write(bytes((self.state.registers[_COMMAND],)))
        self._done()

    def _byte_data(self, slave: SmbusSlave, is_read: bool) -> None:
        registers = self.state.registers
        if is_read:
            slave.write(bytes((registers[_COMMAND],)))
            registers[_DATA_0] = slave.read_byte()
        else:
            slave.write(bytes((registers[_COMMAND], registers[_DATA_0])))
        self._done()

    def _word_data(self, slave: SmbusSlave, is_read: bool) -> None:
        registers = self.state.registers
        if is_read:
            slave.write(bytes((registers[_COMMAND],)))
            registers[_DATA_0] = slave.read_byte()
            registers[_DATA_1] = slave.read_byte()
        else:
            slave.write(bytes((registers[_COMMAND], registers[_DATA_0], registers[_DATA_1])))
        self._done()

    def _i2c_read(self, slave: SmbusSlave, _is_read: bool) -> None:
        registers = self.state.registers
        slave.write(bytes((registers[_DATA_1],)))
        self.state.streaming = registers[_ADDRESS] >> 1
        registers[_BLOCK] = slave.read_byte()
        self.state.finished = False
        registers[_STATUS] |= _BUSY | _BYTE_DONE

    def _read_block_data(self, slave: SmbusSlave, _is_read: bool) -> None:
        registers = self.state.registers
        slave.write(bytes((registers[_COMMAND],)))
        length = slave.read_byte()
        if length > _BUFFER_BYTES:
            length = 0
        for index in range(length):
            self.state.buffer[index] = slave.read_byte()
        self.state.index = 0
        self.state.finished = False
        if self._buffered:
            self._done()
        else:
            registers[_BLOCK] = self.state.buffer[0]
            registers[_STATUS] |= _BUSY | _BYTE_DONE
        registers[_DATA_0] = length

    def _start_block_write(self, slave: SmbusSlave | None) -> None:
        registers = self.state.registers
        if not self._buffered:
            # The slave is first spoken to when the last byte has come.
            self.state.finished = False
            registers[_STATUS] |= _BUSY | _BYTE_DONE
            self.state.buffer[0] = registers[_BLOCK]
            self.state.index = 0
            return
        is_complete = self.state.index == registers[_DATA_0]
        self.state.index = 0
        self._send_block(slave if is_complete else None)

    def _send_block(self, slave: SmbusSlave | None) -> None:
        registers = self.state.registers
        if slave is None:
            registers[_STATUS] |= _ERROR
            return
        length = registers[_DATA_0]
        slave.write(bytes((registers[_COMMAND], length)) + bytes(self.state.buffer[:length]))
        self.state.finished = True
        registers[_STATUS] = (registers[_STATUS] | _DONE) & ~_BUSY

    # -- byte by byte ----------------------------------------------------------------------------

    def _acknowledge(self, value: int) -> None:
        """Clear status bits; acknowledging a byte moves the transfer on."""
        registers = self.state.registers
        next_byte = registers[_STATUS] & value & _BYTE_DONE
        registers[_STATUS] &= ~(value & ~_BUSY) & 0xFF
        if (
            not next_byte
            or self.state.finished
            or (self._buffered and self.state.streaming is None)
        ):
            return
        is_read = bool(registers[_ADDRESS] & 1) or self.state.streaming is not None
        self.state.index = (self.state.index + 1) % _BUFFER_BYTES
        if is_read:
            self._next_read()
        elif self.state.index == registers[_DATA_0]:
            is_i2c = registers[_CONTROL] >> 2 & 7 == _I2C_READ
            self._send_block(None if is_i2c else self._slaves.get(registers[_ADDRESS] >> 1))
        else:
            self.state.buffer[self.state.index] = registers[_BLOCK]
            registers[_STATUS] |= _BYTE_DONE

    def _next_read(self) -> None:
        registers = self.state.registers
        slave = self._slaves.get(-1 if self.state.streaming is None else self.state.streaming)
        registers[_BLOCK] = (
            slave.read_byte() if slave is not None else self.state.buffer[self.state.index]
        )
        if registers[_CONTROL] & _LAST_BYTE:
            self.state.finished = True
            self.state.streaming = None
            self.state.index = 0
            registers[_STATUS] = (registers[_STATUS] | _DONE) & ~_BUSY
        else:
            registers[_STATUS] |= _BYTE_DONE
