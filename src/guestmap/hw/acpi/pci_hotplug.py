"""QEMU's PCI hot-plug registers for ACPI, 24 bytes at port AE00h.

QEMU docs/specs/acpi_pci_hotplug. Four-byte accesses only. A bus is selected by its number in the
order in which the firmware tables name the buses that can be hot-plugged: the root bus is 0. Buses
that come later have no number.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U32, IoRegion, Place, RegisterBlock, Space
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from guestmap.hw.pci import PciBus, PciFunction

PORT, PORT_BYTES = 0xAE00, 0x18

_UP, _DOWN, _EJECT, _REMOVABLE, _SELECT = 0x00, 0x04, 0x08, 0x0C, 0x10
_BUSES = 256
_ALL_SLOTS = 0xFFFF_FFFF


@dataclass(slots=True)
class PciHotplugState:
    """The selected bus, and for each bus the slots that came, and those that are to go."""

    selected: U32 = 0
    up: dict[int, U32] = field(default_factory=dict)
    down: dict[int, U32] = field(default_factory=dict)


class AcpiPciHotplug(RegisterBlock[PciHotplugState]):
    """Which slots came, which are to go, which may go; and the guest's eject.

    Args:
        root: the root bus.
        raise_gpe: sets bit 1 of the first GPE0 status byte: some slot has news.

    Attributes:
        buses: those that have a number, in its order.
    """

    OUTLIVES_RESET = ("selected", "up")

    def __init__(self, root: PciBus, raise_gpe: Callable[[], None] = lambda: None) -> None:
        super().__init__(PciHotplugState())
        self._root = root
        self._raise_gpe = raise_gpe
        self.buses: Sequence[PciBus] = (root,)

    def places(self) -> tuple[Place, ...]:
        """Return ``acpi-pci-hotplug``, 24 bytes, at port AE00h."""
        ops = MemoryRegionOps(
            read=self._read,
            write=self._write,
            endianness=Endianness.LITTLE,
            valid=AccessSizes(4, 4),
        )
        return (Place(Space.IO, PORT, IoRegion("acpi-pci-hotplug", PORT_BYTES, ops)),)

    def _bus(self, number: int) -> PciBus | None:
        return self.buses[number] if number < len(self.buses) else None

    def number_buses(self) -> None:
        """Number the buses that there are: the machine is complete."""
        self.buses = tuple(self._root.walk())

    def _removable(self) -> int:
        bus = self._bus(self.state.selected)
        slots = _ALL_SLOTS
        for devfn, device in bus.devices.items() if bus is not None else ():
            if not device.hotpluggable:
                slots &= ~(1 << (devfn >> 3))
        return slots

    def _read(self, offset: int, _size: int) -> int:
        if self.state.selected >= _BUSES:
            return 0
        if offset == _UP:
            return self.state.up.pop(self.state.selected, 0)
        if offset == _DOWN:
            return self.state.down.get(self.state.selected, 0)
        if offset == _REMOVABLE:
            return self._removable()
        return self.state.selected if offset == _SELECT else 0

    def _write(self, offset: int, value: int, _size: int) -> None:
        if offset == _SELECT:
            self.state.selected = value
        elif offset == _EJECT and value:
            self._eject(self.state.selected, _lowest(value))

    def _eject(self, number: int, slot: int) -> None:
        bus = self._bus(number)
        if bus is None:
            return
        for slots in (self.state.up, self.state.down):
            slots[number] = slots.get(number, 0) & ~(1 << slot)
        for devfn in range(slot << 3, (slot + 1) << 3):
            device = bus.devices.get(devfn)
            if device is not None and device.hotpluggable:
                self._root.on_eject(device)

    def refuse(self, device: PciFunction[Any]) -> None:
        """Take any slot."""

    def tell_plugged(self, device: PciFunction[Any]) -> None:
        """Tell the guest that a slot has got a function."""
        self._mark(self.state.up, device)
        self._raise_gpe()

    def unplug_request(self, device: PciFunction[Any]) -> None:
        """Ask the guest to let a slot go."""
        self._mark(self.state.down, device)
        self._raise_gpe()

    def _mark(self, slots: dict[int, int], device: PciFunction[Any]) -> None:
        number = self.buses.index(device.bus)
        slots[number] = slots.get(number, 0) | 1 << (device.devfn >> 3)

    def reset(self) -> None:
        """Take out what the guest was asked to let go and has not: a reset makes it forget."""
        for number, slots in tuple(self.state.down.items()):
            while slots:
                slot = _lowest(slots)
                self._eject(number, slot)
                slots &= ~(1 << slot)


def _lowest(slots: int) -> int:
    """Return the number of the lowest set bit."""
    return (slots & -slots).bit_length() - 1
