"""QEMU's kvmvapic (``apic-common.vapic``): a port, and an option ROM that makes itself writable.

The ROM's POST writes the offset of its tables, 16 bits, to the port; then the pages that it lies in
become RAM, whatever the chipset says, by an alias of priority 1000, which stays over resets. Its
calls of a hypervisor become accesses of the port, as for all but KVM (hw/i386/kvmvapic.c). What it
is for, guests that are patched where they write the task priority, is not done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.base.named_tuple import NamedTuple
from guestmap.hw.declare import SYS_BUS_DEVICE, declare
from guestmap.hw.device import U32, DeviceModel, IoRegion, Place, Space
from guestmap.hw.portio import all_ones
from guestmap.memory import MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.hw.placement import Placer
    from guestmap.memory import AddressSpace, MemoryRegion

PORT = 0x7E
ROM_FILE = "kvmvapic.bin"
_SIGNATURE = b"kvm aPiC"
_ROMS, _BLOCK, _PAGE = range(0xC0000, 0xE0000, 512), 512, 4096
_PRIORITY = 1000
_HYPERCALL, _PORT_CALL = b"\xb8\x01\0\0\0\x0f\x01\xc1", b"\xb8\x01\0\0\0\x90\xe7\x7e"
_CALLS = 2


class RomPlace(NamedTuple):
    """What the ROM is found in, and shown in.

    Attributes:
        memory: what the processor sees.
        root: the same, as the region that the pages go into.
        ram: what they become.
        placer: makes the alias.
    """

    memory: AddressSpace
    root: MemoryRegion
    ram: MemoryRegion
    placer: Placer


@dataclass(slots=True)
class VapicState:
    """Where the ROM is.

    Attributes:
        is_active: whether it has announced itself since the reset.
        start, size: the pages that are RAM, in bytes; no size: none.
    """

    is_active: bool = False
    start: U32 = 0
    size: U32 = 0


class KvmVapic(DeviceModel[VapicState]):
    """The port that the option ROM talks to.

    Args:
        place: the memory that the ROM is in; None where no ROM is looked for.
    """

    TYPE = declare("kvmvapic", SYS_BUS_DEVICE, hotpluggable=False)
    OUTLIVES_RESET = ("start", "size")

    def __init__(self, place: RomPlace | None = None) -> None:
        super().__init__(VapicState())
        self._place = place
        self._window: MemoryRegion | None = None

    def places(self) -> tuple[Place, ...]:
        """Return ``kvmvapic``, 2 bytes; reads as all ones."""
        ops = MemoryRegionOps(read=all_ones, write=self._write)
        return (Place(Space.IO, PORT, IoRegion("kvmvapic", 2, ops)),)

    def shown_regions(self) -> Iterable[MemoryRegion]:
        """Return its port, and the pages that are RAM."""
        yield from super().shown_regions()
        if self._window is not None:
            yield self._window

    def _write(self, _offset: int, value: int, size: int) -> None:
        """Hear of the ROM: it writes 16 bits; other sizes are about interrupts that wait."""
        if size != 2 or self._place is None:
            return
        state, memory = self.state, self._place.memory
        rom = next((at for at in _ROMS if memory.read(at + value, 8) == _SIGNATURE), None)
        size = memory.load(rom + 2, 1) * _BLOCK if rom is not None else 0
        state.is_active = bool(rom and size)
        if rom and size:
            state.start = rom & ~(_PAGE - 1)
            state.size = -(-(rom + size - state.start) // _PAGE) * _PAGE
            self._show(self._place)
            state.is_active = _patch(memory, rom, size)

    def _show(self, place: RomPlace) -> None:
        with self.changing("kvmvapic's option ROM becomes RAM"):
            if self._window is not None:
                place.root.del_subregion(self._window)
                self._window = None
            if self.state.size:
                start, size = self.state.start, self.state.size
                self._window = place.placer.make_alias(
                    "kvmvapic-rom", place.ram, start, size, owner=self
                )
                place.root.add_subregion(start, self._window, _PRIORITY)

    def load(self, state: VapicState) -> None:
        """Go on from there, with the pages as they were."""
        super().load(state)
        if self._place is not None:
            self._show(self._place)


def _patch(memory: AddressSpace, rom: int, size: int) -> bool:
    """Make the ROM's calls of a hypervisor accesses of the port; False: it is another ROM."""
    content = memory.read(rom, size)
    found = [at for at in range(size - len(_HYPERCALL)) if content.startswith(_HYPERCALL, at)]
    for at in found:
        memory.write(rom + at, _PORT_CALL)
    return len(found) in (0, _CALLS)
