"""A System Management Bus: what can sit on it, and the memory chips that do on a PC.

SMBus specification 2.0, section 5.5 (bus protocols). A slave that is not there answers nothing,
which a host sees as an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

EEPROM_BYTES = 256
SPD_ADDRESSES = range(0x50, 0x58)
"""Where the eight memory modules of a PC keep their descriptions."""


class SmbusSlave(Protocol):
    """A device on the bus."""

    def write(self, data: bytes) -> None:
        """Take the bytes of a write; an empty write is the quick command."""

    def read_byte(self) -> int:
        """Return the next byte."""


class Eeprom:
    """256 bytes: a write's first byte sets the pointer, the rest is stored; reads go on from it."""

    def __init__(self, content: bytes = bytes(EEPROM_BYTES)) -> None:
        self.data = bytearray(content)
        self.pointer = 0

    def write(self, data: bytes) -> None:
        """Set the pointer and store what follows."""
        if not data:
            return
        self.pointer = data[0]
        for value in data[1:]:
            self.data[self.pointer] = value
            self.pointer = (self.pointer + 1) % EEPROM_BYTES

    def read_byte(self) -> int:
        """Return the byte at the pointer and move on."""
        value = self.data[self.pointer]
        self.pointer = (self.pointer + 1) % EEPROM_BYTES
        return value


class GeneralCall:
    """Address 0: what is written goes to every slave; nobody answers a read, which floats high."""

    def __init__(self, slaves: Iterable[SmbusSlave]) -> None:
        self._slaves = tuple(slaves)

    def write(self, data: bytes) -> None:
        """Pass the bytes on to everybody."""
        for slave in self._slaves:
            slave.write(data)

    def read_byte(self) -> int:
        """Return all ones."""
        return 0xFF
