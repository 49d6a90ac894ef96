"""The DMA controllers of a PC/AT (Intel 8237A; QEMU calls its model i8257) and the page registers.

Registers as in the Intel 8237A data sheet; the page registers at 81h-8Fh add address bits 16-23.
The second controller counts 16-bit words. What QEMU 7.2 does not do is not done here:
memory-to-memory transfers (a command that asks for more than the controller-disable bit is
ignored), autoinitialize.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.declare import ISA_DEVICE, declare, setting
from guestmap.hw.device import IoRegion, Place, Space
from guestmap.hw.i8257.channels import MODE_DECREMENT, DmaChannels
from guestmap.hw.portio import PortEntry, port_places
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps
from guestmap.qom import INT32

if TYPE_CHECKING:
    from guestmap.memory import AddressSpace
    from guestmap.qom import JsonValue

FIRST_PORT, SECOND_PORT = 0x00, 0xC0
FIRST_PAGE_PORT, SECOND_PAGE_PORT = 0x80, 0x88

_PAGE_OF_OFFSET = {1: 2, 2: 3, 3: 1, 7: 0}
"""Offset of a page register -> channel, as IBM wired the 74LS612."""

_COMMAND_SUPPORTED = 0x14  # controller disable, rotating priority


class I8257(DmaChannels):
    """One controller with four channels.

    Args:
        space: the memory that transfers go to.
        second: whether it is that of channels 4-7 (words) or that of 0-3.
    """

    TYPE = declare(
        "i8257",
        ISA_DEVICE,
        setting("base", INT32, FIRST_PORT),
        setting("page-base", INT32, FIRST_PAGE_PORT),
        setting("pageh-base", INT32, 0x480),
        setting("dshift", INT32, 0),
        interfaces=("isa-dma",),
    )
    OUTLIVES_RESET = ("channels",)

    def __init__(self, space: AddressSpace, *, second: bool = False) -> None:
        settings: dict[str, JsonValue] = {"pageh-base": -1}
        if second:
            settings |= {"base": SECOND_PORT, "page-base": SECOND_PAGE_PORT, "dshift": 1}
        super().__init__(space, 1 if second else 0, settings)
        self._port = SECOND_PORT if second else FIRST_PORT
        self._page_port = SECOND_PAGE_PORT if second else FIRST_PAGE_PORT

    def places(self) -> tuple[Place, ...]:
        """Return ``dma-chan``, ``dma-cont``, and the ``dma-page`` registers."""
        one, size = AccessSizes(min=1, max=1), 8 << self._shift
        channel_ops = MemoryRegionOps(
            read=self._read_channel, write=self._write_channel, impl=one,
            endianness=Endianness.LITTLE,
        )  # fmt: skip
        control_ops = MemoryRegionOps(
            read=self._read_control, write=self._write_control, impl=one,
            endianness=Endianness.LITTLE,
        )  # fmt: skip
        pages = (
            PortEntry(1, 3, 1, self._read_page, self._write_page),
            PortEntry(7, 1, 1, self._read_page, self._write_page),
        )
        return (
            Place(Space.IO, self._port, IoRegion("dma-chan", size, channel_ops)),
            Place(Space.IO, self._port + size, IoRegion("dma-cont", size, control_ops)),
            *port_places("dma-page", self._page_port, pages),
        )

    # channel registers: address and count, two bytes each through the flip-flop

    def _second_access(self) -> bool:
        second, self.state.high_byte = self.state.high_byte, not self.state.high_byte
        return second

    def _read_channel(self, offset: int, size: int) -> int:
        register = offset >> self._shift & 0x0F
        channel = self.channels[register >> 1 & 3]
        if register & 1:
            value = (channel.base_count << self._shift) - channel.position
        elif channel.mode & MODE_DECREMENT:
            value = channel.address - channel.position
        else:
            value = channel.address + channel.position
        return value >> self._shift + (8 if self._second_access() else 0) & 0xFF

    def _write_channel(self, offset: int, value: int, size: int) -> None:
        register = offset >> self._shift & 0x0F
        channel = self.channels[register >> 1 & 3]
        value &= 0xFF
        second = self._second_access()
        old = channel.base_count if register & 1 else channel.base_address
        new = old & 0x00FF | value << 8 if second else old & 0xFF00 | value
        if register & 1:
            channel.base_count = new
        else:
            channel.base_address = new
        if second:
            channel.address = channel.base_address << self._shift
            channel.position = 0

    # control registers

    def _read_control(self, offset: int, size: int) -> int:
        match offset >> self._shift & 0x0F:
            case 0:
                value = self.state.status
                self.state.status &= 0xF0
                return value
            case 1:
                return self.state.mask
            case _:
                return 0

    def _write_control(self, offset: int, value: int, size: int) -> None:
        value &= 0xFF
        number = value & 3
        match offset >> self._shift & 0x0F:
            case 0:
                if not value & ~_COMMAND_SUPPORTED:
                    self.state.command = value
            case 1:
                self.state.status &= ~(0x11 << number)
                if value & 4:
                    self.state.status |= 0x10 << number
                self._run()
            case 2:
                self.state.mask = self.state.mask & ~(1 << number) | (value >> 2 & 1) << number
                self._run()
            case 3:
                self.channels[number].mode = value
            case 4:
                self.state.high_byte = False
            case 5:
                self.reset()
            case 6:
                self.state.mask = 0
                self._run()
            case 7:
                self.state.mask = value
                self._run()

    def _read_page(self, offset: int) -> int:
        return self.channels[_PAGE_OF_OFFSET[offset]].page

    def _write_page(self, offset: int, value: int) -> None:
        self.channels[_PAGE_OF_OFFSET[offset]].page = value
