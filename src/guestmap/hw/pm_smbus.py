"""The SMBus host controller of the PIIX4: sixty-four ports, one transfer at a time.

Intel 82371AB (PIIX4) data sheet, section 7.3; the block buffer of auxiliary control is the ICH's
(Intel 82801EB data sheet, section 5.20), which QEMU 7.2 switches on. A transfer takes no time. As
in QEMU, one that was started with interrupts off runs when the status is next read, so the guest
sees it busy once. A reset of the machine leaves all of it alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from guestmap.base import ConfigError
from guestmap.hw.device import U8
from guestmap.hw.smbus import EEPROM_BYTES, Eeprom, GeneralCall
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from guestmap.hw.smbus import SmbusSlave
    from guestmap.memory import MemorySystem

PORT_BYTES = 64

_STATUS, _CONTROL, _COMMAND, _ADDRESS = 0x0, 0x2, 0x3, 0x4
_DATA_0, _DATA_1, _BLOCK, _AUXILIARY = 0x5, 0x6, 0x7, 0xD
_BUSY, _DONE, _ERROR, _FAILED, _BYTE_DONE = 1 << 0, 1 << 1, 1 << 2, 1 << 4, 1 << 7
_INTERRUPT, _KILL, _LAST_BYTE, _START = 1 << 0, 1 << 1, 1 << 5, 1 << 6
_CONTROL_READABLE = 0x1F
_AUXILIARY_BITS, _BUFFER = 0x03, 1 << 1
_BUFFER_BYTES = 32
_QUICK, _BYTE, _BYTE_DATA, _WORD_DATA, _PROCESS_CALL, _BLOCK_DATA, _I2C_READ = range(7)


@dataclass(slots=True)
class EepromState:
    """A memory chip's content, and where it is read next."""

    data: Annotated[bytes, Meta(min_length=EEPROM_BYTES, max_length=EEPROM_BYTES)]
    pointer: U8


@dataclass(slots=True)
class SmbusState:
    """The registers, the block buffer and how far a transfer is; ``streaming`` is with whom."""

    registers: Annotated[bytes, Meta(min_length=PORT_BYTES, max_length=PORT_BYTES)]
    buffer: Annotated[bytes, Meta(min_length=_BUFFER_BYTES, max_length=_BUFFER_BYTES)]
    index: Annotated[int, Meta(ge=0, le=_BUFFER_BYTES)]
    finished: bool
    streaming: U8 | None
    deferred: bool
    chips: dict[int, EepromState]


class PmSmbus:
    """The host controller.

    Args:
        memory: the machine's memory system.
        slaves: what is on the bus, by seven-bit address.

    Attributes:
        region: ``pm-smbus``, 64 bytes, byte accesses only.
    """

    def __init__(
        self, memory: MemorySystem, slaves: Mapping[int, SmbusSlave], *, owner: object = None
    ) -> None:
        self._slaves = {0: GeneralCall(slaves.values()), **slaves}
        self._registers = bytearray(PORT_BYTES)
        self._registers[_AUXILIARY] = _BUFFER
        self._buffer = bytearray(_BUFFER_BYTES)
        self._index = 0
        self._finished = True
        self._streaming: SmbusSlave | None = None
        self._deferred = False
        self._transfers: dict[int, Callable[[SmbusSlave, bool], None]] = {
            _QUICK: self._quick,
            _BYTE: self._byte,
            _BYTE_DATA: self._byte_data,
            _WORD_DATA: self._word_data,
            _BLOCK_DATA: self._read_block_data,
            _I2C_READ: self._i2c_read,
        }
        sizes = AccessSizes(1, 1)
        ops = MemoryRegionOps(
            read=self._read,
            write=self._write,
            endianness=Endianness.LITTLE,
            valid=sizes,
            impl=sizes,
        )
        self.region = memory.io("pm-smbus", PORT_BYTES, ops, owner=owner)

    # -- saving ------------------------------------------------------------------------------------

    def save(self) -> SmbusState:
        """Return a copy of the state, that of the memory chips on the bus with it."""
        streaming = next((at for at, x in self._slaves.items() if x is self._streaming), None)
        chips = {at: x for at, x in self._slaves.items() if isinstance(x, Eeprom)}
        return SmbusState(
            bytes(self._registers), bytes(self._buffer), self._index, self._finished, streaming,
            self._deferred, {at: EepromState(bytes(x.data), x.pointer) for at, x in chips.items()},
        )  # fmt: skip

    def load(self, state: SmbusState) -> None:
        """Go on from a state that was saved, with the same on the bus.

        Raises:
            ConfigError: something else is on the bus.
        """
        for at, saved in state.chips.items():
            chip = self._slaves.get(at)
            if not isinstance(chip, Eeprom):
                raise ConfigError(f"no memory chip is at SMBus address 0x{at:x}")
            chip.data[:], chip.pointer = saved.data, saved.pointer
        self._registers[:], self._buffer[:] = state.registers, state.buffer
        self._index, self._finished, self._deferred = state.index, state.finished, state.deferred
        self._streaming = None if state.streaming is None else self._slaves.get(state.streaming)

    # -- registers -------------------------------------------------------------------------------

    def _read(self, offset: int, _size: int) -> int:
        registers = self._registers
        if offset == _STATUS:
            status = registers[_STATUS]
            if self._deferred:
                self._deferred = False
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
        registers = self._registers
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
        registers = self._registers
        registers[_CONTROL] = value & ~_START
        if value & _START:
            if not self._finished:
                self._index = 0
                self._finished = True
                self._streaming = None
            self._deferred = not value & _INTERRUPT
            if value & _INTERRUPT:
                self._transfer()
            else:
                registers[_STATUS] |= _BUSY
        if value & _KILL:
            self._finished = True
            self._index = 0
            registers[_STATUS] = (registers[_STATUS] | _FAILED) & ~_BUSY

    # -- the block buffer ------------------------------------------------------------------------

    @property
    def _buffered(self) -> bool:
        return bool(self._registers[_AUXILIARY] & _BUFFER)

    def _read_block(self) -> int:
        registers = self._registers
        if not self._buffered or self._streaming is not None:
            return registers[_BLOCK]
        self._index %= _BUFFER_BYTES
        value = self._buffer[self._index]
        self._index += 1
        if not self._finished and self._index == registers[_DATA_0]:
            self._finished = True
            self._index = 0
            registers[_STATUS] &= ~_BUSY & 0xFF
        return value

    def _write_block(self, value: int) -> None:
        if self._index >= _BUFFER_BYTES:
            self._index = 0
        if self._buffered:
            self._buffer[self._index] = value
            self._index += 1
        else:
            self._registers[_BLOCK] = value

    # -- transfers -------------------------------------------------------------------------------

    def _transfer(self) -> None:
        registers = self._registers
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
        self._registers[_STATUS] |= _DONE

    def _quick(self, slave: SmbusSlave, is_read: bool) -> None:
        if not is_read:
            slave.write(b"")
        self._done()

    def _byte(self, slave: SmbusSlave, is_read: bool) -> None:
        if is_read:
            self._registers[_DATA_0] = slave.read_byte()
        else:
            slave.write(bytes((self._registers[_COMMAND],)))
        self._done()

    def _byte_data(self, slave: SmbusSlave, is_read: bool) -> None:
        registers = self._registers
        if is_read:
            slave.write(bytes((registers[_COMMAND],)))
            registers[_DATA_0] = slave.read_byte()
        else:
            slave.write(bytes((registers[_COMMAND], registers[_DATA_0])))
        self._done()

    def _word_data(self, slave: SmbusSlave, is_read: bool) -> None:
        registers = self._registers
        if is_read:
            slave.write(bytes((registers[_COMMAND],)))
            registers[_DATA_0] = slave.read_byte()
            registers[_DATA_1] = slave.read_byte()
        else:
            slave.write(bytes((registers[_COMMAND], registers[_DATA_0], registers[_DATA_1])))
        self._done()

    def _i2c_read(self, slave: SmbusSlave, _is_read: bool) -> None:
        registers = self._registers
        slave.write(bytes((registers[_DATA_1],)))
        self._streaming = slave
        registers[_BLOCK] = slave.read_byte()
        self._finished = False
        registers[_STATUS] |= _BUSY | _BYTE_DONE

    def _read_block_data(self, slave: SmbusSlave, _is_read: bool) -> None:
        registers = self._registers
        slave.write(bytes((registers[_COMMAND],)))
        length = slave.read_byte()
        if length > _BUFFER_BYTES:
            length = 0
        for index in range(length):
            self._buffer[index] = slave.read_byte()
        self._index = 0
        self._finished = False
        if self._buffered:
            self._done()
        else:
            registers[_BLOCK] = self._buffer[0]
            registers[_STATUS] |= _BUSY | _BYTE_DONE
        registers[_DATA_0] = length

    def _start_block_write(self, slave: SmbusSlave | None) -> None:
        registers = self._registers
        if not self._buffered:
            # The slave is first spoken to when the last byte has come.
            self._finished = False
            registers[_STATUS] |= _BUSY | _BYTE_DONE
            self._buffer[0] = registers[_BLOCK]
            self._index = 0
            return
        is_complete = self._index == registers[_DATA_0]
        self._index = 0
        self._send_block(slave if is_complete else None)

    def _send_block(self, slave: SmbusSlave | None) -> None:
        registers = self._registers
        if slave is None:
            registers[_STATUS] |= _ERROR
            return
        length = registers[_DATA_0]
        slave.write(bytes((registers[_COMMAND], length)) + bytes(self._buffer[:length]))
        self._finished = True
        registers[_STATUS] = (registers[_STATUS] | _DONE) & ~_BUSY

    # -- byte by byte ----------------------------------------------------------------------------

    def _acknowledge(self, value: int) -> None:
        """Clear status bits; acknowledging a byte moves the transfer on."""
        registers = self._registers
        next_byte = registers[_STATUS] & value & _BYTE_DONE
        registers[_STATUS] &= ~(value & ~_BUSY) & 0xFF
        if not next_byte or self._finished or (self._buffered and self._streaming is None):
            return
        is_read = bool(registers[_ADDRESS] & 1) or self._streaming is not None
        self._index = (self._index + 1) % _BUFFER_BYTES
        if is_read:
            self._next_read()
        elif self._index == registers[_DATA_0]:
            is_i2c = registers[_CONTROL] >> 2 & 7 == _I2C_READ
            self._send_block(None if is_i2c else self._slaves.get(registers[_ADDRESS] >> 1))
        else:
            self._buffer[self._index] = registers[_BLOCK]
            registers[_STATUS] |= _BYTE_DONE

    def _next_read(self) -> None:
        registers = self._registers
        slave = self._streaming
        registers[_BLOCK] = slave.read_byte() if slave is not None else self._buffer[self._index]
        if registers[_CONTROL] & _LAST_BYTE:
            self._finished = True
            self._streaming = None
            self._index = 0
            registers[_STATUS] = (registers[_STATUS] | _DONE) & ~_BUSY
        else:
            registers[_STATUS] |= _BYTE_DONE
