"""The DMA controllers of a PC/AT (Intel 8237A; QEMU calls its model i8257) and the page registers.

Registers as in the Intel 8237A data sheet; the page registers at 81h-8Fh add address bits 16-23. A
device registers a callback for its channel and asks with :meth:`I8257.hold_dreq`; while the channel
is open, the callback moves bytes with :meth:`I8257.read_memory` and :meth:`I8257.write_memory`. The
second controller counts 16-bit words. What QEMU 7.2 does not do is not done here: memory-to-memory
transfers (a command that asks for more than the controller-disable bit is ignored), autoinitialize.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from guestmap.hw.portio import PortEntry, port_regions
from guestmap.memory import AccessSizes, Endianness, MemoryRegion, MemoryRegionOps

if TYPE_CHECKING:
    from guestmap.memory import AddressSpace, MemorySystem

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


class _Channel:
    __slots__ = ("address", "base_address", "base_count", "handler", "mode", "page", "position")

    def __init__(self) -> None:
        self.base_address = self.base_count = self.mode = self.page = 0
        self.address = 0  # in bytes, below the page
        self.position = 0  # bytes moved since the channel was programmed
        self.handler: DmaHandler = _nobody


class I8257:
    """One controller with four channels.

    Attributes:
        channel_region, control_region: ``dma-chan`` and ``dma-cont``.
        page_regions: (port, region) of the ``dma-page`` registers.
        regions: (port, region) of all of them.
    """

    def __init__(self, memory: MemorySystem, space: AddressSpace, *, second: bool = False) -> None:
        """Make the controller of channels 0-3, or with ``second`` that of 4-7 (words).

        ``space`` is the memory that transfers go to.
        """
        self._space = space
        self._shift = shift = 1 if second else 0
        self.channels = tuple(_Channel() for _ in range(4))
        one = AccessSizes(min=1, max=1)
        channel_ops = MemoryRegionOps(
            read=self._read_channel, write=self._write_channel, impl=one,
            endianness=Endianness.LITTLE,
        )  # fmt: skip
        control_ops = MemoryRegionOps(
            read=self._read_control, write=self._write_control, impl=one,
            endianness=Endianness.LITTLE,
        )  # fmt: skip
        port = SECOND_PORT if second else FIRST_PORT
        self.channel_region: MemoryRegion = memory.io("dma-chan", 8 << shift, channel_ops)
        self.control_region: MemoryRegion = memory.io("dma-cont", 8 << shift, control_ops)
        self.page_regions = port_regions(
            memory,
            "dma-page",
            SECOND_PAGE_PORT if second else FIRST_PAGE_PORT,
            (
                PortEntry(1, 3, 1, self._read_page, self._write_page),
                PortEntry(7, 1, 1, self._read_page, self._write_page),
            ),
        )
        self.regions: tuple[tuple[int, MemoryRegion], ...] = (
            (port, self.channel_region),
            (port + (8 << shift), self.control_region),
            *self.page_regions,
        )
        self._command = self._status = 0
        self._mask = 0xFF
        self._high_byte = False
        self._running = False

    def reset(self) -> None:
        """Master clear: all channels masked; addresses, counts and pages live on."""
        self._high_byte = False
        self._mask = 0xFF
        self._status = self._command = 0

    # what a device uses

    def register_channel(self, channel: int, handler: DmaHandler) -> None:
        """Let ``handler`` do the transfers of ``channel`` (0-3 in this controller)."""
        self.channels[channel].handler = handler

    def hold_dreq(self, channel: int) -> None:
        """Ask for transfers; the handler is called now if the guest has opened the channel."""
        self._status |= 0x10 << channel
        self._run()

    def release_dreq(self, channel: int) -> None:
        """Stop asking."""
        self._status &= ~(0x10 << channel)

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
        if self._running or self._command & 0x04:
            return
        self._running = True
        try:
            for number, channel in enumerate(self.channels):
                if not self._mask >> number & 1 and self._status >> number & 0x10:
                    length = channel.base_count + 1 << self._shift
                    moved = channel.handler(number, channel.position, length)
                    channel.position = moved
                    if moved >= length:
                        self._status |= 1 << number
        finally:
            self._running = False

    # channel registers: address and count, two bytes each through the flip-flop

    def _second_access(self) -> bool:
        second, self._high_byte = self._high_byte, not self._high_byte
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
                value = self._status
                self._status &= 0xF0
                return value
            case 1:
                return self._mask
            case _:
                return 0

    def _write_control(self, offset: int, value: int, size: int) -> None:
        value &= 0xFF
        number = value & 3
        match offset >> self._shift & 0x0F:
            case 0:
                if not value & ~_COMMAND_SUPPORTED:
                    self._command = value
            case 1:
                self._status &= ~(0x11 << number)
                if value & 4:
                    self._status |= 0x10 << number
                self._run()
            case 2:
                self._mask = self._mask & ~(1 << number) | (value >> 2 & 1) << number
                self._run()
            case 3:
                self.channels[number].mode = value
            case 4:
                self._high_byte = False
            case 5:
                self.reset()
            case 6:
                self._mask = 0
                self._run()
            case 7:
                self._mask = value
                self._run()

    def _read_page(self, offset: int) -> int:
        return self.channels[_PAGE_OF_OFFSET[offset]].page

    def _write_page(self, offset: int, value: int) -> None:
        self.channels[_PAGE_OF_OFFSET[offset]].page = value
