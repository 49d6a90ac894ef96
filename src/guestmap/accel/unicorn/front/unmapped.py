"""An access that nobody answers: where it went, and what is near."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from guestmap.base import GuestmapError
from guestmap.base.dataclass import dataclass

if TYPE_CHECKING:
    from guestmap.memory import AddressSpace, MemoryRegion, MemoryRegionSection

AccessKind = Literal["read", "write", "fetch"]


@dataclass(frozen=True, slots=True)
class UnmappedAccess:
    """An access that nobody took.

    Attributes:
        kind: "read", "write", or "fetch" of an instruction.
        address: of the first byte.
        size: bytes.
        value: what was to be written; None unless it is a write.
        region: who is there, and refuses an access of that size or alignment; None for nobody.
        below, above: the nearest sections on both sides; None where there is none.
    """

    kind: AccessKind
    address: int
    size: int
    value: int | None
    region: MemoryRegion | None
    below: MemoryRegionSection | None
    above: MemoryRegionSection | None

    @classmethod
    def at(
        cls, space: AddressSpace, kind: AccessKind, address: int, size: int, value: int | None
    ) -> UnmappedAccess:
        """Return the access with what ``space`` shows near it."""
        found = space.find(address)
        region = None if found is None else found.region
        before = space.view.within(0, address)
        below = space.find(before[-1].start) if before else None
        after = space.view.next_start(address)
        above = None if after is None else space.find(after)
        return cls(kind, address, size, value, region, below, above)

    def __str__(self) -> str:
        what = f"a {self.kind} of {self.size} bytes at 0x{self.address:x}"
        if self.value is not None:
            what += f" (value 0x{self.value:x})"
        if self.region is not None:
            return f"{what}: region {self.region.name!r} is there and refuses it"
        near = f"below is {_named(self.below)}, above is {_named(self.above)}"
        return f"{what}: nobody is there; {near}"


class UnmappedError(GuestmapError):
    """The guest accessed what nobody answers, and no callback took care of it.

    Attributes:
        access: which access.
    """

    def __init__(self, access: UnmappedAccess) -> None:
        super().__init__(str(access))
        self.access = access


def _named(section: MemoryRegionSection | None) -> str:
    if section is None:
        return "nothing"
    start = section.offset_within_address_space
    return f"{section.region.name!r} (0x{start:x}-0x{start + section.size - 1:x})"
