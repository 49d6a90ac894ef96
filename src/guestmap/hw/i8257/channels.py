"""The channels of a DMA controller, and what devices do with them.

A device registers a callback for its channel and asks with :meth:`DmaChannels.hold_dreq`; while the
channel is open, the callback moves bytes with :meth:`DmaChannels.read_memory` and
:meth:`DmaChannels.write_memory`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Annotated

from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U8, U16, DeviceModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guestmap.memory import AddressSpace
    from guestmap.qom import JsonValue

MODE_DECREMENT = 0x20
_CONTROLLER_DISABLE = 0x04

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


class DmaChannels(DeviceModel[DmaState]):
    """Four channels, as devices use them.

    Args:
        space: the memory that transfers go to.
        shift: 1 where a count is of words, 0 where it is of bytes.
        settings: see :class:`guestmap.hw.device.DeviceModel`.
    """

    def __init__(self, space: AddressSpace, shift: int, settings: Mapping[str, JsonValue]) -> None:
        super().__init__(DmaState(), settings)
        self._space = space
        self._shift = shift
        self._handlers: list[DmaHandler] = [_nobody] * 4
        self._running = False

    @property
    def channels(self) -> list[DmaChannel]:
        """The four channels."""
        return self.state.channels

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
        return channel.page << 16 | channel.address, bool(channel.mode & MODE_DECREMENT)

    def _run(self) -> None:
        """Call the handler of each open channel that asks, until none does or none moves."""
        if self._running or self.state.command & _CONTROLLER_DISABLE:
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
