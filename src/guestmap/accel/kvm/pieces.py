"""What of a section becomes memory slots: KVM's rules for a slot, and who may write to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from guestmap.accel.kvm.abi import PAGE, SlotFlag

if TYPE_CHECKING:
    from guestmap.memory import MemoryRegionSection
    from guestmap.memory.ram import RamBlock


_FLAGS = (
    (SlotFlag(0), SlotFlag.LOG_DIRTY_PAGES),
    (SlotFlag.READONLY, SlotFlag.READONLY | SlotFlag.LOG_DIRTY_PAGES),
)
"""By whether it is read-only, and whether it is logged."""


class Slot(NamedTuple):
    """A run of guest-physical pages that is host memory.

    Attributes:
        start: guest-physical.
        size: bytes; whole pages.
        block: the RAM block.
        offset: of ``start`` in the block.
        readonly: writes of the guest come out as MMIO.
        logged: the kernel notes which pages the guest writes.
        guarded: it is read-only because its writes are watched: the guest may write.
    """

    start: int
    size: int
    block: RamBlock
    offset: int
    readonly: bool
    logged: bool
    guarded: bool = False

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.start + self.size

    @property
    def host(self) -> int:
        """Where its memory is in this process."""
        return self.block.host_address + self.offset

    @property
    def flags(self) -> SlotFlag:
        """What the kernel is told of it."""
        return _FLAGS[self.readonly][self.logged]

    @property
    def content(self) -> tuple[RamBlock, int, int, bool, bool]:
        """What the kernel cannot change of a live slot: all but its address and its log."""
        return self.block, self.offset, self.size, self.readonly, self.guarded

    def piece(self, start: int, end: int) -> Slot:
        """Return what lies between two addresses of it."""
        return self._replace(start=start, size=end - start, offset=self.offset + start - self.start)

    def overlaps(self, other: Slot) -> bool:
        """Tell whether they have an address in common."""
        return self.start < other.end and other.start < self.end

    def shares(self, other: Slot) -> bool:
        """Tell whether they have memory in common."""
        return (
            self.block is other.block
            and self.offset < other.offset + other.size
            and other.offset < self.offset + self.size
        )

    def __str__(self) -> str:
        return f"0x{self.start:x}-0x{self.end - 1:x} of {self.block.name}"


def slots_of(section: MemoryRegionSection, *, logged: bool, longest: int) -> tuple[Slot, ...]:
    """Return the slots that a section needs, lowest address first; none where exits do it all.

    Only whole pages can be a slot, and only what is memory: RAM, ROM, and a ROM device while its
    reads are those of its memory. Whatever makes a section read-only (itself, a container or an
    alias on the way) makes its slots so, and so does being a ROM device, whose writes are commands.

    Args:
        section: what shows.
        logged: whether writes of the guest are to be noted.
        longest: bytes that a slot can have.
    """
    region = section.region
    block = region.ram_block
    if block is None or not block.host_address or not (region.reads_directly or region.ram_device):
        return ()
    start, offset = section.offset_within_address_space, section.offset_within_region
    end = start + min(section.size, len(block.buffer) - offset)
    first, end = (start + PAGE - 1) & -PAGE, end & -PAGE
    if (offset + first - start) % PAGE:  # memory that begins in the middle of a host page
        return ()
    readonly = section.readonly or region.readonly or region.rom_device
    if 0 < end - first <= longest:
        return (Slot(first, end - first, block, offset + first - start, readonly, logged),)
    return tuple(
        Slot(at, min(longest, end - at), block, offset + at - start, readonly, logged)
        for at in range(first, end, longest)
    )
