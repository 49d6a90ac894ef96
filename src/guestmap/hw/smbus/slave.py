"""A System Management Bus: what can sit on it, and the memory chips that do on a PC.

SMBus specification 2.0, section 5.5 (bus protocols). A slave that is not there answers nothing,
which a host sees as an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from typing import Annotated, Protocol

from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import declare, setting
from guestmap.hw.device import U8, DeviceModel
from guestmap.qom import UINT8

EEPROM_BYTES = 256
SPD_ADDRESSES = range(0x50, 0x58)
"""Where the eight memory modules of a PC keep their descriptions."""


class SmbusSlave(Protocol):
    """A device on the bus."""

    def write(self, data: bytes) -> None:
        """Take the bytes of a write; an empty write is the quick command."""

    def read_byte(self) -> int:
        """Return the next byte."""


I2C_SLAVE = declare(
    "i2c-slave", "device", setting("address", UINT8, 0), abstract=True, bus="i2c-bus"
)
SMBUS_DEVICE = declare("smbus-device", I2C_SLAVE, abstract=True)


@dataclass(slots=True)
class EepromState:
    """What is stored, and where the next access goes."""

    data: Annotated[bytearray, Meta(min_length=EEPROM_BYTES, max_length=EEPROM_BYTES)] = field(
        default_factory=lambda: bytearray(EEPROM_BYTES)
    )
    pointer: U8 = 0


class Eeprom(DeviceModel[EepromState]):
    """256 bytes: a write's first byte sets the pointer, the rest is stored; reads go on from it.

    Args:
        content: what is stored at first.
        address: where it is on the bus.
    """

    TYPE = declare("smbus-eeprom", SMBUS_DEVICE)
    OUTLIVES_RESET = ("data", "pointer")

    def __init__(
        self, content: bytes = bytes(EEPROM_BYTES), *, address: int = SPD_ADDRESSES[0]
    ) -> None:
        super().__init__(EepromState(bytearray(content)), {"address": address})

    @property
    def data(self) -> bytearray:
        """What is stored."""
        return self.state.data

    def write(self, data: bytes) -> None:
        """Set the pointer and store what follows."""
        if not data:
            return
        self.state.pointer = data[0]
        for value in data[1:]:
            self.data[self.state.pointer] = value
            self.state.pointer = (self.state.pointer + 1) % EEPROM_BYTES

    def read_byte(self) -> int:
        """Return the byte at the pointer and move on."""
        value = self.data[self.state.pointer]
        self.state.pointer = (self.state.pointer + 1) % EEPROM_BYTES
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
