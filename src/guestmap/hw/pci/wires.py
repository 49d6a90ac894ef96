"""The interrupt wires of a PCI bus: who pulls them, and where they lead.

A function's pin is one of four; bridges swap them by slot (PCI-to-PCI Bridge 1.2, section 9.1), and
the root bus's wires go where the board says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U64

if TYPE_CHECKING:
    from guestmap.hw.pci.bus import PciBus

PINS = 4


@dataclass(slots=True)
class BusState:
    """How many functions pull each interrupt wire."""

    pin_users: Annotated[list[U64], Meta(min_length=PINS, max_length=PINS)]


class InterruptWires:
    """A bus's own part of it.

    Args:
        bus: whose they are.
    """

    def __init__(self, bus: PciBus) -> None:
        self._bus = bus
        self._map_pin: Callable[[int, int], int] = swizzle
        self._set_pin: Callable[[int, bool], None] | None = None
        self.users = [0] * PINS
        """How many functions pull each wire."""

    def route(
        self, map_pin: Callable[[int, int], int], set_pin: Callable[[int, bool], None]
    ) -> None:
        """Say where the wires of a root bus go.

        Args:
            map_pin: ``(devfn, pin 0-3) -> wire``.
            set_pin: ``(wire, level)``, called whenever a function drives or releases the wire.
        """
        self._map_pin = map_pin
        self._set_pin = set_pin

    def change(self, devfn: int, pin: int, change: int) -> None:
        """Count one more (+1) or one fewer (-1) function that pulls the wire of ``pin``."""
        bus, wires = self._bus, self
        wire = wires._map_pin(devfn, pin)
        while bus.bridge is not None:
            devfn, bus = bus.bridge.devfn, bus.bridge.bus
            wires = bus.wires
            wire = wires._map_pin(devfn, wire)
        wires.users[wire] += change
        if wires._set_pin is not None:
            wires._set_pin(wire, wires.users[wire] > 0)

    def level(self, wire: int) -> bool:
        """Whether anybody pulls ``wire`` of a root bus."""
        return self.users[wire] > 0


def swizzle(devfn: int, pin: int) -> int:
    """Return the wire for ``pin`` as bridges connect them (PCI-to-PCI Bridge 1.2, section 9.1)."""
    return ((devfn >> 3) + pin) % PINS
