"""The addresses that memory devices are plugged into, and who gets which.

The rules, their order and their texts are QEMU's (hw/mem/memory-device.c); the first gap that is
large enough wins.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from guestmap.base import ConfigError
from guestmap.base.named_tuple import NamedTuple

if TYPE_CHECKING:
    from guestmap.memory import MemoryRegion, MemorySystem

_TOP = 1 << 64


class Taken(NamedTuple):
    """Addresses that a memory device has.

    Attributes:
        start, size: in bytes.
        id: the device's, "" without one.
    """

    start: int
    size: int
    id: str

    @property
    def end(self) -> int:
        """The address after the last."""
        return self.start + self.size


def free_address(
    window: tuple[int, int], taken: Iterable[Taken], hint: int, align: int, size: int
) -> int:
    """Return where a memory device goes.

    Args:
        window: first address and bytes of device memory.
        taken: who is there, in any order.
        hint: the address asked for; 0 for any.
        align: what the address must be a multiple of, in bytes.
        size: bytes.

    Raises:
        ConfigError: it cannot be there, or nowhere; QEMU's texts.
    """
    base, length = window
    if hint and hint % align:
        raise ConfigError(f"address must be aligned to 0x{align:x} bytes")
    if size % align:
        raise ConfigError(f"backend memory size must be multiple of 0x{align:x}")
    if hint and (hint < base or hint + size > min(base + length, _TOP)):
        raise ConfigError(
            f"can't add memory device [0x{hint:x}:0x{size:x}],"
            f" usable range for memory devices [0x{base:x}:0x{length:x}]"
        )
    start = hint or -(-base // align) * align
    if start + size > _TOP:
        raise ConfigError("can't add memory device, device too big")
    for other in sorted(taken):
        low = other.start
        if low >= start + size:
            break
        end = low + other.size
        if end <= start:
            continue
        if hint:
            raise ConfigError(
                f"address range conflicts with memory device id='{other.id or '(unnamed)'}'"
            )
        start = -(-end // align) * align
    if start < base or start + size > base + length:
        raise ConfigError(
            "could not find position in guest address space for memory device - memory fragmented"
            " due to alignments"
        )
    return start


class PluggableRange(Protocol):
    """The addresses that a board leaves to memory devices; sizes in bytes."""

    @property
    def start(self) -> int:
        """The first."""

    @property
    def size(self) -> int:
        """How many."""

    @property
    def slots(self) -> int:
        """DIMMs there may be."""


class DeviceMemory:
    """A machine's container for memory devices.

    Args:
        system: the memory system.
        parent: the region that the container goes into.
        place: where it is, and how many slots there are.
        most: bytes that all devices together may have.

    Attributes:
        region: ``device-memory``.
        start, size, slots, most: see the arguments.
        used: bytes that devices have.
    """

    def __init__(
        self,
        system: MemorySystem,
        parent: MemoryRegion,
        place: PluggableRange,
        most: int,
    ) -> None:
        self.start, self.size, self.slots = place.start, place.size, place.slots
        self.most = most
        self.used = 0
        self._taken: list[Taken] = []
        self.region = system.container("device-memory", place.size)
        parent.add_subregion(place.start, self.region)

    def choose(self, hint: int, align: int, size: int) -> int:
        """Return where a device goes, after asking whether there is room at all.

        Args:
            hint: the address asked for; 0 for any.
            align: what address and size must be multiples of, in bytes.
            size: bytes.

        Raises:
            ConfigError: there is no room, or not there; QEMU's texts.
        """
        if self.used + size > self.most:
            raise ConfigError(
                f"not enough space, currently 0x{self.used:x} in use of total space for memory"
                f" devices 0x{self.most:x}"
            )
        return free_address((self.start, self.size), self._taken, hint, align, size)

    def add(self, address: int, region: MemoryRegion, id_: str) -> None:
        """Put a device's region at ``address``; it is one commit.

        Raises:
            Exception: a listener refused; nothing has changed.
        """
        with region.system.transaction(f"{id_ or 'a memory device'} plugged in at 0x{address:x}"):
            self.region.add_subregion(address - self.start, region)
        insort(self._taken, Taken(address, region.size, id_))
        self.used += region.size

    def remove(self, region: MemoryRegion) -> None:
        """Take a device's region out; it is one commit. The region remembers where it was.

        Raises:
            Exception: a listener refused; nothing has changed.
        """
        address = self.start + region.addr
        place = bisect_left(self._taken, (address,))
        id_ = self._taken[place].id or "a memory device"
        with region.system.transaction(f"{id_} unplugged at 0x{address:x}"):
            self.region.del_subregion(region)
        del self._taken[place]
        self.used -= region.size
