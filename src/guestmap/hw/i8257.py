"""The DMA controllers of a PC/AT (Intel 8237A; QEMU calls its model i8257) and the page registers.

Registers as in the Intel 8237A data sheet; the page registers at 81h-8Fh add address bits 16-23. A
device registers a callback for its channel and asks with :meth:`I8257.hold_dreq`; while the channel
is open, the callback moves bytes with :meth:`I8257.read_memory` and :meth:`I8257.write_memory`. The
second controller counts 16-bit words. What QEMU 7.2 does not do is not done here: memory-to-memory
transfers (a command that asks for more than the controller-disable bit is ignored), autoinitialize.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Annotated

from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import ISA_DEVICE, declare, setting
from guestmap.hw.device import U8, U16, DeviceModel, IoRegion, Place, Space
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

_MODE_DECREMENT = 0x20
_COMMAND_SUPPORTED = 0x14  # controller disable, rotating priority

DmaHandler = Callable[[int, int, int], int]
"""``(channel, position, length) -> new position``, both in bytes from the programmed address."""


def _nobody(_channel: int, position: int, _length: int) -> int:
    return position


@dataclass(slots=True)
class DmaChannel:
    """What one channel was programmed with, and how far it has come."""

    base_address: U16 = 0
    base_count: U16 = 0
    mode: U8 = 0
    page: U8 = 0
    address: Annotated[int, Meta(ge=0, le=0x1_FFFE)] = 0
    """In bytes, below the page."""
    position: Annotated[int, Meta(ge=0, le=0x2_0000)] = 0
    """Bytes moved since the channel was programmed."""


@dataclass(slots=True)
class DmaState:
    """The registers of one controller."""

    channels: Annotated[list[DmaChannel], Meta(min_length=4, max_length=4)] = field(
        default_factory=lambda: [DmaChannel() for _ in range(4)]
    )
    command: U8 = 0
    status: U8 = 0
    mask: U8 = 0xFF
    high_byte: bool = False


class I8257(DeviceModel[DmaState]):
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
        super().__init__(DmaState(), settings)
        self._space = space
        self._shift = 1 if second else 0
        self._port = SECOND_PORT if second else FIRST_PORT
        self._page_port = SECOND_PAGE_PORT if second else FIRST_PAGE_PORT
        self._handlers: list[DmaHandler] = [_nobody] * 4
        self._running = False

    @property
    def channels(self) -> list[DmaChannel]:
        """The four channels."""
        return self.state.channels

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

    # what a device uses

    def register_channel(self, channel: int, handler: DmaHandler) -> None:
        """Let ``handler`` do the transfers of ``channel`` (0-3 in this controller)."""
        self._handlers[channel] = handler

    def hold_dreq(self, channel: int) -> None:
        """Ask for transfers; the handler is called now if the guest has opened the channel."""
        self.state.status |= 0x10 << channel
        self._run()

    def release_dreq(self, channel: int) -> None:
        """Stop asking."""
        self.state.status &= ~(0x10 << channel)

    def mode(self, channel: int) -> int:
        """Return the mode byte of ``channel``."""
        return self.channels[channel].mode

    def read_memory(self, channel: int, position: int, length: int) -> bytes:
        """Return ``length`` bytes from ``position`` bytes behind the programmed address."""
        address, down = self._address(channel)
        if down:
            return self._space.read(max(0, address - position - length), length)[::-1]
        return self._space.read(address + position, length)

    def write_memory(self, channel: int, position: int, data: bytes) -> None:
        """Write ``data`` at ``position`` bytes behind the programmed address."""
        address, down = self._address(channel)
        if down:
            self._space.write(max(0, address - position - len(data)), data[::-1])
        else:
            self._space.write(address + position, data)

    def _address(self, number: int) -> tuple[int, bool]:
        channel = self.channels[number]
        return channel.page << 16 | channel.address, bool(channel.mode & _MODE_DECREMENT)

    def _run(self) -> None:
        """Call the handler of each open channel that asks, until none does or none moves."""
        if self._running or self.state.command & 0x04:
            return
        self._running = True
        try:
            for number, channel in enumerate(self.channels):
                if not self.state.mask >> number & 1 and self.state.status >> number & 0x10:
                    length = channel.base_count + 1 << self._shift
                    moved = self._handlers[number](number, channel.position, length)
                    channel.position = moved
                    if moved >= length:
                        self.state.status |= 1 << number
        finally:
            self._running = False

    # channel registers: address and count, two bytes each through the flip-flop

    def _second_access(self) -> bool:
        second, self.state.high_byte = self.state.high_byte, not self.state.high_byte
        return second

    def _read_channel(self, offset: int, size: int) -> int:
        register = offset >> self._shift & 0x0F
        channel = self.channels[register >> 1 & 3]
        if register & 1:
            value = (channel.base_count << self._shift) - channel.position
        elif channel.mode & _MODE_DECREMENT:
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
