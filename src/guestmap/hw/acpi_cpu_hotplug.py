"""QEMU's CPU hot-plug registers at port AF00h.

QEMU docs/specs/acpi_cpu_hotplug. They start as a read-only bitmap of the processors present, by
APIC id (32 bytes). Firmware that knows better writes 0 to the first byte once, and the
selector-based block (12 bytes) takes the place of the bitmap for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from guestmap.hw.device import U32
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.memory import MemoryRegion, MemorySystem

PORT = 0xAF00
BITMAP_BYTES, BLOCK_BYTES = 32, 12

_SELECTOR, _FLAGS, _COMMAND, _DATA = 0x0, 0x4, 0x5, 0x8
_ENABLED = 1 << 0
_NEXT_WITH_EVENT, _OST_EVENT, _OST_STATUS, _GET_ID = range(4)
_COMMANDS = 4


@dataclass(slots=True)
class CpuHotplugState:
    """The selector block's registers; ``modern``: it has taken the bitmap's place."""

    selector: U32 = 0
    command: Annotated[int, Meta(ge=0, lt=_COMMANDS)] = 0
    modern: bool = False


class AcpiCpuHotplug:
    """The bitmap, and the block that follows it.

    Args:
        memory: the machine's memory system.
        io: the region that the registers are in.
        apic_ids: of all processors that the machine can have, in order.
        present: how many of them, from the first on, are there.
    """

    def __init__(
        self,
        memory: MemorySystem,
        io: MemoryRegion,
        apic_ids: Sequence[int],
        present: int,
        *,
        owner: object = None,
    ) -> None:
        self._io = io
        self._apic_ids = tuple(apic_ids)
        self._present = present
        self._selector = self._command = 0
        bytes_only = AccessSizes(1, 1)
        self._bitmap = memory.io(
            "acpi-cpu-hotplug",
            BITMAP_BYTES,
            MemoryRegionOps(
                read=self._read_bitmap,
                write=self._write_bitmap,
                endianness=Endianness.LITTLE,
                valid=bytes_only,
            ),
            owner=owner,
        )
        self._block = memory.io(
            "acpi-cpu-hotplug",
            BLOCK_BYTES,
            MemoryRegionOps(
                read=self._read_block,
                write=self._write_block,
                endianness=Endianness.LITTLE,
                valid=AccessSizes(1, 4),
            ),
            owner=owner,
        )
        io.add_subregion(PORT, self._bitmap)

    @property
    def region(self) -> MemoryRegion:
        """``acpi-cpu-hotplug``: whichever of the two answers now."""
        return self.regions[-1]

    @property
    def regions(self) -> tuple[MemoryRegion, ...]:
        """The regions that there have been so far: QEMU makes the second when it is wanted."""
        if self._bitmap.container is not None:
            return (self._bitmap,)
        return (self._bitmap, self._block)

    def save(self) -> CpuHotplugState:
        """Return a copy of the state."""
        return CpuHotplugState(self._selector, self._command, modern=self._bitmap.container is None)

    def load(self, state: CpuHotplugState) -> None:
        """Go on from a state that was saved."""
        self._selector, self._command = state.selector, state.command
        with self._io.system.transaction("CPU hot-plug registers loaded"):
            if state.modern and self._bitmap.container is not None:
                self._io.del_subregion(self._bitmap)
                self._io.add_subregion(PORT, self._block)
            elif not state.modern and self._bitmap.container is None:
                self._io.del_subregion(self._block)
                self._io.add_subregion(PORT, self._bitmap)

    def _read_bitmap(self, offset: int, _size: int) -> int:
        here = (apic_id for apic_id in self._apic_ids[: self._present] if apic_id >> 3 == offset)
        return sum(1 << (apic_id & 7) for apic_id in here)

    def _write_bitmap(self, offset: int, value: int, _size: int) -> None:
        if offset or value & 0xFF or self._bitmap.container is None:
            return
        with self._io.system.transaction("CPU hot-plug registers: bitmap -> selector block"):
            self._io.del_subregion(self._bitmap)
            self._io.add_subregion(PORT, self._block)

    def _read_block(self, offset: int, _size: int) -> int:
        if self._selector >= len(self._apic_ids):
            return 0
        if offset == _FLAGS:
            return _ENABLED if self._selector < self._present else 0
        if self._command == _NEXT_WITH_EVENT:
            return self._selector if offset == _DATA else 0
        if self._command == _GET_ID:
            apic_id = self._apic_ids[self._selector]
            return {_DATA: apic_id & 0xFFFF_FFFF, _SELECTOR: apic_id >> 32}.get(offset, 0)
        return 0

    def _write_block(self, offset: int, value: int, _size: int) -> None:
        if offset == _SELECTOR:
            self._selector = value & 0xFFFF_FFFF
        elif offset == _COMMAND and self._selector < len(self._apic_ids):
            command = value & 0xFF
            if command < _COMMANDS:
                self._command = command
