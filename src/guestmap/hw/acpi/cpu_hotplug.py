"""QEMU's CPU hot-plug registers at port AF00h.

QEMU docs/specs/acpi_cpu_hotplug. They start as a read-only bitmap of the processors present, by
APIC id (32 bytes). Firmware that knows better writes 0 to the first byte once, and the
selector-based block (12 bytes) takes the place of the bitmap for good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U32, IoRegion, Place, RegisterBlock, Space
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.memory import MemoryRegion

PORT = 0xAF00
BITMAP_BYTES, BLOCK_BYTES = 32, 12

_SELECTOR, _FLAGS, _COMMAND, _DATA = 0x0, 0x4, 0x5, 0x8
_ENABLED = 1 << 0
_NEXT_WITH_EVENT, _OST_EVENT, _OST_STATUS, _GET_ID = range(4)
_COMMANDS = 4


@dataclass(slots=True)
class CpuHotplugState:
    """Which processor is selected, which command was given, and whether the block has come."""

    selector: U32 = 0
    command: Annotated[int, Meta(ge=0, lt=_COMMANDS)] = 0
    modern: bool = False


class AcpiCpuHotplug(RegisterBlock[CpuHotplugState]):
    """The bitmap, and the block that follows it. A reset leaves them alone.

    Args:
        apic_ids: of all processors that the machine can have, in order.
        present: how many of them, from the first on, are there.
    """

    OUTLIVES_RESET = ("selector", "command", "modern")

    def __init__(self, apic_ids: Sequence[int], present: int) -> None:
        super().__init__(CpuHotplugState())
        self._apic_ids = tuple(apic_ids)
        self._present = present

    def places(self) -> tuple[Place, ...]:
        """Return ``acpi-cpu-hotplug`` twice: the bitmap, 32 bytes, and the block, 12, for later."""
        bitmap = MemoryRegionOps(
            read=self._read_bitmap,
            write=self._write_bitmap,
            endianness=Endianness.LITTLE,
            valid=AccessSizes(1, 1),
        )
        block = MemoryRegionOps(
            read=self._read_block,
            write=self._write_block,
            endianness=Endianness.LITTLE,
            valid=AccessSizes(1, 4),
        )
        name = "acpi-cpu-hotplug"
        return (
            Place(Space.IO, PORT, IoRegion(name, BITMAP_BYTES, bitmap)),
            Place(Space.IO, PORT, IoRegion(name, BLOCK_BYTES, block), mapped=False),
        )

    def shown_regions(self) -> Sequence[MemoryRegion]:
        """Return the regions that there have been: QEMU makes the second when it is wanted."""
        return self.regions if self.state.modern else self.regions[:1]

    def load(self, state: CpuHotplugState) -> None:
        """Go on from there."""
        super().load(state)
        self._show()

    def _show(self) -> None:
        """Have that region answer which is wanted."""
        bitmap, block = self.regions
        wanted, other = (block, bitmap) if self.state.modern else (bitmap, block)
        container = other.container
        if container is not None:
            with self.changing("CPU hot-plug registers: bitmap -> selector block"):
                container.del_subregion(other)
                container.add_subregion(PORT, wanted)

    def _read_bitmap(self, offset: int, _size: int) -> int:
        here = (apic_id for apic_id in self._apic_ids[: self._present] if apic_id >> 3 == offset)
        return sum(1 << (apic_id & 7) for apic_id in here)

    def _write_bitmap(self, offset: int, value: int, _size: int) -> None:
        if not offset and not value & 0xFF and not self.state.modern:
            self.state.modern = True
            self._show()

    def _read_block(self, offset: int, _size: int) -> int:
        if self.state.selector >= len(self._apic_ids):
            return 0
        if offset == _FLAGS:
            return _ENABLED if self.state.selector < self._present else 0
        if self.state.command == _NEXT_WITH_EVENT:
            return self.state.selector if offset == _DATA else 0
        if self.state.command == _GET_ID:
            apic_id = self._apic_ids[self.state.selector]
            return {_DATA: apic_id & 0xFFFF_FFFF, _SELECTOR: apic_id >> 32}.get(offset, 0)
        return 0

    def _write_block(self, offset: int, value: int, _size: int) -> None:
        if offset == _SELECTOR:
            self.state.selector = value & 0xFFFF_FFFF
        elif offset == _COMMAND and self.state.selector < len(self._apic_ids):
            command = value & 0xFF
            if command < _COMMANDS:
                self.state.command = command
