"""A PCI bus: the functions on it, the buses behind its bridges, and its interrupt wires."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from guestmap.base import ConfigError
from guestmap.hw.pci.registers import (
    BRIDGE_CONTROL,
    CONTROL_BUS_RESET,
    HEADER_MULTIFUNCTION,
    HEADER_TYPE,
    SECONDARY_BUS,
    SUBORDINATE_BUS,
)
from guestmap.hw.pci.wires import BusState, InterruptWires

if TYPE_CHECKING:
    from guestmap.hw.pci.device import PciFunction
    from guestmap.hw.placement import Placer
    from guestmap.memory import MemoryRegion

SLOTS, FUNCTIONS = 32, 8


class SlotController(Protocol):
    """What tells the guest that functions come to a bus, or are to go."""

    def refuse(self, device: PciFunction[Any], /) -> None:
        """Refuse a function in a slot that it has nothing to do with.

        Raises:
            ConfigError: it is in one.
        """

    def tell_plugged(self, device: PciFunction[Any], /) -> None:
        """Tell the guest that a slot has got a function."""

    def unplug_request(self, device: PciFunction[Any], /) -> None:
        """Ask the guest to let a slot go."""


class PciBus:
    """The functions on one bus.

    Attributes:
        placer: makes the regions of functions on it.
        memory_region: what memory BARs on this bus are mapped into.
        io_region: what I/O BARs on this bus are mapped into.
        dma_root: what bus masters on this bus reach: the system memory.
        bridge: the bridge that this bus is behind, or None for the root bus.
        devices: function by ``devfn`` (slot << 3 | function).
        children: buses behind bridges on this bus, newest first.
        slots: tells the guest what comes and is to go; None where nobody does.
        wires: its interrupt wires.
        ready: whether the machine is complete, so that a new function can master the bus at once.
        on_attach: told of each function that is put on the bus.
        on_eject: takes a function out of the machine that the guest has let go; the root's counts.
    """

    def __init__(
        self,
        placer: Placer,
        memory_region: MemoryRegion,
        io_region: MemoryRegion,
        dma_root: MemoryRegion,
        *,
        bridge: PciFunction[Any] | None = None,
    ) -> None:
        self.placer = placer
        self.memory_region = memory_region
        self.io_region = io_region
        self.dma_root = dma_root
        self.bridge = bridge
        self.devices: dict[int, PciFunction[Any]] = {}
        self.children: list[PciBus] = []
        self.slots: SlotController | None = None
        self.ready = False
        self.on_attach: Callable[[PciFunction[Any]], None] | None = None
        self.on_eject: Callable[[PciFunction[Any]], None] = _remove
        self._numbers: dict[int, PciBus | None] = {}
        self.wires = InterruptWires(self)
        if bridge is not None:
            bridge.bus.children.insert(0, self)
            self.ready = bridge.bus.ready
            self.root.forget_numbers()

    # -- who is where ----------------------------------------------------------------------------

    @property
    def root(self) -> PciBus:
        """The bus that has no bridge above it."""
        bus = self
        while bus.bridge is not None:
            bus = bus.bridge.bus
        return bus

    @property
    def number(self) -> int:
        """Bus number: 0 for the root, otherwise what the firmware gave the bridge."""
        return 0 if self.bridge is None else self.bridge.config.data[SECONDARY_BUS]

    def find(self, number: int) -> PciBus | None:
        """Return bus ``number`` below this root bus, as the bridges decode it now, or None."""
        try:
            return self._numbers[number]
        except KeyError:
            bus = self._numbers[number] = self._search(number)
            return bus

    def forget_numbers(self) -> None:
        """Drop what :meth:`find` remembers: a bridge's bus numbers or reset bit have changed."""
        self._numbers.clear()

    def _search(self, number: int) -> PciBus | None:
        if number == self.number:
            return self
        level: list[PciBus] = self.children
        while level:
            inside = None
            for bus in level:
                if bus.number == number:
                    return bus
                if bus.decodes(number):
                    inside = bus
                    break
            level = inside.children if inside is not None else []
        return None

    def decodes(self, number: int) -> bool:
        """Whether the bridge above forwards configuration cycles for bus ``number``."""
        if self.bridge is None:
            return True
        data = self.bridge.config.data
        if data[BRIDGE_CONTROL] & CONTROL_BUS_RESET:
            return False
        return data[SECONDARY_BUS] <= number <= data[SUBORDINATE_BUS]

    def attach(self, device: PciFunction[Any]) -> None:
        """Put a function on the bus.

        Raises:
            ConfigError: there is no such slot, it is taken, or its functions do not agree on being
                several.
        """
        devfn = device.devfn
        slot, function = devfn >> 3, devfn & 7
        problem = ""
        if not 0 <= devfn < SLOTS * FUNCTIONS:
            problem = f"there is no slot {slot}: give 0 to {SLOTS - 1}"
        elif (present := self.devices.get(devfn)) is not None:
            problem = f"{slot:02x}.{function} is taken by {present.name!r}: give another slot"
        elif function and (first := self.devices.get(slot << 3)) is not None:
            if not first.config.data[HEADER_TYPE] & HEADER_MULTIFUNCTION:
                problem = f"{slot:02x}.0 ({first.name!r}) says that it is the only function there"
        elif not function and not device.config.data[HEADER_TYPE] & HEADER_MULTIFUNCTION:
            other = next((d for n in range(1, 8) if (d := self.devices.get(devfn + n))), None)
            if other is not None:
                problem = f"it would be the only function, but {other.name!r} is there too"
        if problem:
            raise ConfigError(f"cannot put {device.name!r} on PCI bus {self.number}: {problem}")
        self.devices[devfn] = device
        if self.on_attach is not None:
            self.on_attach(device)

    def detach(self, device: PciFunction[Any]) -> None:
        """Take a function off the bus."""
        if self.devices.get(device.devfn) is device:
            del self.devices[device.devfn]

    def free_slot(self, start: int = 0) -> int:
        """Return the ``devfn`` of the first empty slot from slot ``start`` on.

        Raises:
            ConfigError: all slots are taken.
        """
        for slot in range(start, SLOTS):
            if slot << 3 not in self.devices:
                return slot << 3
        raise ConfigError(f"PCI bus {self.number} has no free slot left")

    def walk(self) -> list[PciBus]:
        """Return this bus and all below it, depth first, newest bridge first."""
        buses = [self]
        for child in self.children:
            buses.extend(child.walk())
        return buses

    # -- life ------------------------------------------------------------------------------------

    def machine_done(self) -> None:
        """Let the functions on this bus, and on those below, master it (end of machine set-up)."""
        for bus in self.walk():
            bus.ready = True
            for devfn in sorted(bus.devices):
                bus.devices[devfn].connect_bus_master()

    def reset(self) -> None:
        """Reset every function on this bus, and through bridges all below."""
        with self.placer.changing(f"reset of PCI bus {self.number:02x}"):
            for devfn in sorted(self.devices):
                device = self.devices.get(devfn)
                if device is not None:
                    device.reset()

    # -- saving ------------------------------------------------------------------------------------

    @property
    def state(self) -> BusState:
        """How many functions pull each wire."""
        return self.save()

    def save(self) -> BusState:
        """Return a copy of the state; its functions are saved on their own."""
        return BusState(list(self.wires.users))

    def load(self, state: BusState) -> None:
        """Go on from a state that was saved; no wire is driven."""
        self.wires.users = list(state.pin_users)
        self.root.forget_numbers()


def _remove(device: PciFunction[Any]) -> None:
    device.remove()
