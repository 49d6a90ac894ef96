"""The memory system of one machine: it makes the regions and owns everything they share."""

from __future__ import annotations

from collections.abc import Callable

from guestmap.base import ADDRESS_SPACE_SIZE, ConfigError
from guestmap.memory.address_space import AddressSpace
from guestmap.memory.history import CommitRecord
from guestmap.memory.ops import AccessSizes, MemoryRegionOps
from guestmap.memory.ram import RamBlock, RamList, map_anonymous
from guestmap.memory.region import MemoryRegion
from guestmap.memory.topology import Topology
from guestmap.memory.transaction import Transaction, Transactions


class MemorySystem:
    """Regions, address spaces, RAM blocks and the transaction of one machine.

    Two systems in one process never meet.

    Args:
        now_ns: the clock that commits are stamped with, in nanoseconds.
        enforce_readonly: whether a read-only alias or container keeps :meth:`AddressSpace.write`
            from a writable region. QEMU looks at the region alone there (a guest's own stores are
            refused in both), so False is what QEMU does.

    Attributes:
        ram_blocks: all RAM blocks, largest first.
    """

    def __init__(
        self, *, now_ns: Callable[[], int] = lambda: 0, enforce_readonly: bool = True
    ) -> None:
        self.enforce_readonly = enforce_readonly
        self.ram_blocks = RamList()
        self.transactions = Transactions(now_ns)

    # -- regions ---------------------------------------------------------------------------------

    def container(self, name: str, size: int, *, owner: object = None) -> MemoryRegion:
        """Return a region that only holds others; what they leave open, nobody answers."""
        return MemoryRegion(self, name, size, owner=owner)

    def io(
        self, name: str, size: int, ops: MemoryRegionOps | None, *, owner: object = None
    ) -> MemoryRegion:
        """Return a region that calls ``ops``; None reserves the addresses and answers nothing."""
        region = MemoryRegion(self, name, size, owner=owner)
        region.terminates = True
        if ops is not None:
            region.ops = ops
        return region

    def ram(
        self,
        name: str,
        size: int,
        *,
        readonly: bool = False,
        backed: bool = True,
        owner: object = None,
    ) -> MemoryRegion:
        """Return RAM with a block of its own.

        Args:
            name: of the region and the block.
            size: bytes.
            readonly: make it ROM.
            backed: False makes no host memory: the region takes part in the map, reads as zeros
                and forgets what is written. For maps that are only looked at.
            owner: see :class:`MemoryRegion`.

        Raises:
            HostError: the host has no room for it.
        """
        region = MemoryRegion(self, name, size, owner=owner)
        region.ram_block = self._block(name, size, backed=backed)
        region.ram = True
        region.readonly = readonly
        region.terminates = True
        return region

    def rom(
        self, name: str, size: int, *, backed: bool = True, owner: object = None
    ) -> MemoryRegion:
        """Return ROM: the guest's writes vanish, the host fills it through ``buffer``."""
        return self.ram(name, size, readonly=True, backed=backed, owner=owner)

    def rom_device(
        self,
        name: str,
        size: int,
        ops: MemoryRegionOps,
        *,
        backed: bool = True,
        owner: object = None,
    ) -> MemoryRegion:
        """Return a ROM device: reads come from memory, or in the other mode from ``ops``.

        Writes always go to ``ops``. See :meth:`MemoryRegion.set_romd_mode`.
        """
        region = MemoryRegion(self, name, size, owner=owner)
        region.ram_block = self._block(name, size, backed=backed)
        region.rom_device = True
        region.terminates = True
        region.ops = ops
        return region

    def ram_device(
        self, name: str, size: int, buffer: memoryview, *, owner: object = None
    ) -> MemoryRegion:
        """Return memory of a device (a mapped BAR): accessed in its bus sizes, 1 to 8 bytes.

        Raises:
            ConfigError: the buffer is read-only, or smaller than the region.
        """
        buffer = buffer.cast("B")
        if buffer.readonly or len(buffer) < size:
            raise ConfigError(
                f"RAM device {name!r} of 0x{size:x} bytes has a"
                f"{' read-only' if buffer.readonly else ''} buffer of 0x{len(buffer):x}"
            )
        region = MemoryRegion(self, name, size, owner=owner)
        region.ram_block = RamBlock(name, size, buffer)
        self.ram_blocks.add(region.ram_block)
        region.ram = region.ram_device = region.terminates = True
        region.ops = _ram_device_ops(region.ram_block)
        return region

    def alias(
        self, name: str, target: MemoryRegion, offset: int, size: int, *, owner: object = None
    ) -> MemoryRegion:
        """Return a window on ``target`` from ``offset`` on; it may reach beyond the target.

        Raises:
            ConfigError: the offset is not an address, or the target is another machine's.
        """
        if not 0 <= offset < ADDRESS_SPACE_SIZE:
            raise ConfigError(f"alias {name!r}: offset {offset:#x} is not an address")
        if target.system is not self:
            raise ConfigError(f"alias {name!r}: {target.name!r} belongs to another machine")
        region = MemoryRegion(self, name, size, owner=owner)
        region.alias = target
        region.alias_offset = offset
        return region

    def _block(self, name: str, size: int, *, backed: bool) -> RamBlock:
        block = RamBlock(name, size, map_anonymous(name, size) if backed else None)
        self.ram_blocks.add(block)
        return block

    # -- address spaces --------------------------------------------------------------------------

    def address_space(self, name: str, root: MemoryRegion) -> AddressSpace:
        """Return a new address space that shows ``root``.

        Raises:
            ConfigError: the root belongs to another machine, or its view would never end.
        """
        if root.system is not self:
            raise ConfigError(f"address space {name!r}: root {root.name!r} is another machine's")
        space = AddressSpace(name, root)
        self.transactions.add_space(space)
        return space

    def remove_address_space(self, space: AddressSpace) -> None:
        """Let an address space go: it shows nothing, and its listeners hear that all goes.

        Raises:
            StateError: it has gone already.
        """
        self.transactions.remove_space(space)

    @property
    def address_spaces(self) -> tuple[AddressSpace, ...]:
        """All address spaces, oldest first."""
        gone = self.transactions.removed
        return tuple(space for space in tuple(self.transactions.spaces) if space not in gone)

    # -- transactions ----------------------------------------------------------------------------

    @property
    def topology(self) -> Topology:
        """The notes that commits go by."""
        return self.transactions.topology

    def transaction(self, cause: str = "") -> Transaction:
        """Return a context manager: mutations inside show all at once at its end.

        Transactions nest; the outermost publishes, and the first cause given names the commit. An
        exception undoes what its block changed. Where nothing changed, nothing is published.

        Raises:
            ConfigError: at the end, when a view would never end; everything is undone.
            StateError: a listener tried to change the tree.
        """
        return self.transactions.open(cause)

    @property
    def generation(self) -> int:
        """Number of the last published commit."""
        return self.transactions.generation

    @property
    def history(self) -> tuple[CommitRecord, ...]:
        """The last commits, oldest first."""
        return tuple(self.transactions.history)

    def subscribe(self, subscriber: Callable[[CommitRecord], None]) -> None:
        """Call ``subscriber`` with the record of each commit from now on."""
        self.transactions.subscribers.append(subscriber)

    def unsubscribe(self, subscriber: Callable[[CommitRecord], None]) -> None:
        """Stop calling ``subscriber``."""
        self.transactions.subscribers.remove(subscriber)


def _ram_device_ops(block: RamBlock) -> MemoryRegionOps:
    def read(offset: int, size: int) -> int:
        return int.from_bytes(block.buffer[offset : offset + size], "little")

    def write(offset: int, value: int, size: int) -> None:
        room = min(size, len(block.buffer) - offset)
        block.buffer[offset : offset + room] = value.to_bytes(size, "little")[:room]
        block.written(offset, room)

    sizes = AccessSizes(1, 8, unaligned=True)
    return MemoryRegionOps(read=read, write=write, valid=sizes, impl=sizes)
