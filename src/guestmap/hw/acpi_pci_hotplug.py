"""QEMU's PCI hot-plug registers for ACPI, 24 bytes at port AE00h.

QEMU docs/specs/acpi_pci_hotplug. Four-byte accesses only. A bus is selected by its number in the
order in which the firmware tables name the buses that can be hot-plugged: the root bus is 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guestmap.hw.device import U32
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.hw.pci import PciBus, PciDevice
    from guestmap.memory import MemorySystem

PORT, PORT_BYTES = 0xAE00, 0x18

_UP, _DOWN, _EJECT, _REMOVABLE, _SELECT = 0x00, 0x04, 0x08, 0x0C, 0x10
_BUSES = 256
_ALL_SLOTS = 0xFFFF_FFFF


@dataclass(slots=True)
class PciHotplugState:
    """The bus that is selected; by bus, the slots that came and those that are to go."""

    selected: U32 = 0
    up: dict[int, U32] = field(default_factory=dict)
    down: dict[int, U32] = field(default_factory=dict)


class AcpiPciHotplug:
    """Which slots came, which are to go, which may go; and the guest's eject.

    Args:
        memory: the machine's memory system.
        root: the root bus.
        on_eject: called with a function that the guest has let go; takes it out of the machine.

    Attributes:
        region: ``acpi-pci-hotplug``, 24 bytes, at port AE00h.
    """

    def __init__(
        self,
        memory: MemorySystem,
        root: PciBus,
        on_eject: Callable[[PciDevice], None],
        *,
        owner: object = None,
    ) -> None:
        self._root = root
        self._on_eject = on_eject
        self._selected = 0
        self._up: dict[int, int] = {}
        self._down: dict[int, int] = {}
        sizes = AccessSizes(4, 4)
        ops = MemoryRegionOps(
            read=self._read, write=self._write, endianness=Endianness.LITTLE, valid=sizes
        )
        self.region = memory.io("acpi-pci-hotplug", PORT_BYTES, ops, owner=owner)

    def _bus(self, number: int) -> PciBus | None:
        buses = self._root.walk()
        return buses[number] if number < len(buses) else None

    def _removable(self) -> int:
        bus = self._bus(self._selected)
        slots = _ALL_SLOTS
        for devfn, device in bus.devices.items() if bus is not None else ():
            if not device.hotpluggable:
                slots &= ~(1 << (devfn >> 3))
        return slots

    def _read(self, offset: int, _size: int) -> int:
        if self._selected >= _BUSES:
            return 0
        if offset == _UP:
            return self._up.pop(self._selected, 0)
        if offset == _DOWN:
            return self._down.get(self._selected, 0)
        if offset == _REMOVABLE:
            return self._removable()
        return self._selected if offset == _SELECT else 0

    def _write(self, offset: int, value: int, _size: int) -> None:
        if offset == _SELECT:
            self._selected = value
        elif offset == _EJECT and value:
            self._eject(self._selected, _lowest(value))

    def number_of(self, bus: PciBus) -> int:
        """Return the number by which the guest selects a bus."""
        return self._root.walk().index(bus)

    def _eject(self, number: int, slot: int) -> None:
        bus = self._bus(number)
        if bus is None:
            return
        for slots in (self._up, self._down):
            slots[number] = slots.get(number, 0) & ~(1 << slot)
        for devfn in range(slot << 3, (slot + 1) << 3):
            device = bus.devices.get(devfn)
            if device is not None and device.hotpluggable:
                self._on_eject(device)

    def plugged(self, device: PciDevice) -> None:
        """Tell the guest, when it next looks, that a slot has got a function."""
        self._mark(self._up, device)

    def unplug_request(self, device: PciDevice) -> None:
        """Ask the guest to let a slot go."""
        self._mark(self._down, device)

    def _mark(self, slots: dict[int, int], device: PciDevice) -> None:
        number = self.number_of(device.bus)
        slots[number] = slots.get(number, 0) | 1 << (device.devfn >> 3)

    def save(self) -> PciHotplugState:
        """Return a copy of the state."""
        return PciHotplugState(self._selected, dict(self._up), dict(self._down))

    def load(self, state: PciHotplugState) -> None:
        """Go on from a state that was saved."""
        self._selected = state.selected
        self._up, self._down = dict(state.up), dict(state.down)

    def reset(self) -> None:
        """Take out what the guest was asked to let go and has not: a reset makes it forget."""
        for number, slots in tuple(self._down.items()):
            while slots:
                slot = _lowest(slots)
                self._eject(number, slot)
                slots &= ~(1 << slot)


def _lowest(slots: int) -> int:
    """Return the number of the lowest set bit."""
    return (slots & -slots).bit_length() - 1
