"""The SMBus host's registers: where they are, their bits, and how far a transfer is."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass

PORT_BYTES = 64
STATUS, CONTROL, COMMAND, ADDRESS = 0x0, 0x2, 0x3, 0x4
DATA_0, DATA_1, BLOCK, AUXILIARY = 0x5, 0x6, 0x7, 0xD
BUSY, DONE, ERROR, FAILED, BYTE_DONE = 1 << 0, 1 << 1, 1 << 2, 1 << 4, 1 << 7
INTERRUPT, KILL, LAST_BYTE, START = 1 << 0, 1 << 1, 1 << 5, 1 << 6
CONTROL_READABLE = 0x1F
AUXILIARY_BITS, BUFFER = 0x03, 1 << 1
BUFFER_BYTES = 32
QUICK, BYTE, BYTE_DATA, WORD_DATA, PROCESS_CALL, BLOCK_DATA, I2C_READ = range(7)


def _at_power_on() -> bytearray:
    registers = bytearray(PORT_BYTES)
    registers[AUXILIARY] = BUFFER
    return registers


@dataclass(slots=True)
class PmSmbusState:
    """The registers, the block buffer, and how far a transfer is.

    Attributes:
        streaming: the address of the slave that is being read byte by byte.
        deferred: a transfer runs when the status is read next.
    """

    registers: Annotated[bytearray, Meta(min_length=PORT_BYTES, max_length=PORT_BYTES)] = field(
        default_factory=_at_power_on
    )
    buffer: Annotated[bytearray, Meta(min_length=BUFFER_BYTES, max_length=BUFFER_BYTES)] = field(
        default_factory=lambda: bytearray(BUFFER_BYTES)
    )
    index: Annotated[int, Meta(ge=0, le=BUFFER_BYTES)] = 0
    finished: bool = True
    streaming: Annotated[int, Meta(ge=0, le=0x7F)] | None = None
    deferred: bool = False
