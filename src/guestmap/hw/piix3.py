"""The ISA bridge of a PC: the PCI-to-ISA function of Intel's 82371SB (PIIX3), 8086:7000.

It turns the four PCI interrupt wires into lines of the interrupt controller (registers 60h-63h)
and has the reset control register at port CF9h. Intel 82371FB/82371SB data sheet (290550), sections
2.2.8 and 2.5.4.2; reset values as QEMU 7.2 has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import HAS_AML, declare
from guestmap.hw.device import U8, U16, IoRegion, Place, Space
from guestmap.hw.pci import PciFunction, PciIdentity
from guestmap.hw.pci.kind import IS_PCI, PCI_DEVICE, PciState
from guestmap.hw.pci.registers import STATUS, STATUS_DEVSEL_MEDIUM
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from guestmap.base import IrqLine
    from guestmap.hw.pci import PciBus

PIRQ_ROUTES = 0x60
PIRQ_WIRES = 4
ISA_LINES = 16
RESET_PORT = 0xCF9

_IDENTITY = PciIdentity(0x8086, 0x7000, 0x0601)
_RESET_REQUEST, _SYSTEM_RESET = 1 << 2, 1 << 1
_RESET_PRIORITY = 1  # the reset register lies over a byte of the configuration address register
_RESET_VALUES: dict[int, bytes] = {
    0x4C: b"\x4d",  # ISA I/O recovery timer
    0x4E: b"\x03\x00",  # X-bus chip select: RTC and keyboard
    0x60: b"\x80\x80\x80\x80",  # PIRQ routes: none
    0x69: b"\x02",  # top of memory
    0x70: b"\x80",  # motherboard interrupt route: none
    0x76: b"\x0c\x0c",  # motherboard DMA: none
    0x78: b"\x02\x00",  # programmable chip select
    0x80: b"\x00",
    0x82: b"\x00",
    0xA0: b"\x08",  # SMI control
    0xA2: b"\x00\x00",
    0xA4: b"\x00\x00\x00\x00",
    0xA8: b"\x0f",  # fast off timer
    0xAA: b"\x00\x00",
    0xAC: b"\x00",
    0xAE: b"\x00",
}


@dataclass(slots=True)
class Piix3State(PciState):
    """The reset control register, and which lines it drives high, a bit for each."""

    reset_control: U8 = 0
    levels: U16 = 0


PCI_PIIX3 = declare("pci-piix3", PCI_DEVICE, abstract=True, interfaces=(*HAS_AML, *IS_PCI))


class Piix3(PciFunction[Piix3State]):
    """The ISA bridge.

    Args:
        bus: the root bus, whose interrupt wires it takes.
        devfn: slot << 3 | function; QEMU's is 8.
        isa_lines: the sixteen lines of the interrupt controller.
        request_reset: called when the guest asks for a reset through port CF9h.
    """

    TYPE = declare("PIIX3", PCI_PIIX3, buses=(("ISA", "isa.0"),), hotpluggable=False)
    OUTLIVES_RESET = (*PciFunction.OUTLIVES_RESET, "levels")
    hotpluggable = False

    def __init__(
        self,
        bus: PciBus,
        devfn: int,
        isa_lines: Sequence[IrqLine],
        request_reset: Callable[[], None],
    ) -> None:
        super().__init__(Piix3State(), bus, devfn, _IDENTITY, multifunction=True)
        self._isa_lines = isa_lines
        self._request_reset = request_reset
        self.config.set(STATUS, STATUS_DEVSEL_MEDIUM, 2)
        self.place_blocks()
        bus.wires.route(_map_pin, self._wire_changed)
        self._set_reset_values()

    def places(self) -> tuple[Place, ...]:
        """Return ``piix3-reset-control``, 1 byte, at port CF9h."""
        ops = MemoryRegionOps(
            read=lambda _offset, _size: self.state.reset_control,
            write=self._write_reset_control,
            endianness=Endianness.LITTLE,
            impl=AccessSizes(1, 1),
        )
        region = IoRegion("piix3-reset-control", 1, ops)
        return (Place(Space.IO, RESET_PORT, region, _RESET_PRIORITY),)

    def _set_reset_values(self) -> None:
        for register, values in _RESET_VALUES.items():
            self.config.data[register : register + len(values)] = values

    def _write_reset_control(self, _offset: int, value: int, _size: int) -> None:
        if value & _RESET_REQUEST:
            self._request_reset()
        else:
            self.state.reset_control = value & _SYSTEM_RESET

    def route(self, wire: int) -> int | None:
        """Return the interrupt controller's line that ``wire`` (0 to 3) goes to, or None."""
        line = self.config.data[PIRQ_ROUTES + wire]
        return line if line < ISA_LINES else None

    def _wire_changed(self, _wire: int, _level: bool) -> None:
        self._update_lines()

    def _update_lines(self) -> None:
        """Drive each line whose level has changed; one is high while any wire routed to it is."""
        levels = 0
        for wire in range(PIRQ_WIRES):
            line = self.route(wire)
            if line is not None and self.bus.wires.level(wire):
                levels |= 1 << line
        changed, self.state.levels = levels ^ self.state.levels, levels
        for line in range(ISA_LINES):
            if changed >> line & 1:
                self._isa_lines[line].set(bool(levels >> line & 1))

    def config_write(self, offset: int, value: int, size: int) -> None:
        """Take a configuration write; interrupt routes change at once."""
        self.write_header(offset, value, size)
        if offset < PIRQ_ROUTES + PIRQ_WIRES and offset + size > PIRQ_ROUTES:
            self._update_lines()

    def reset(self) -> None:
        """Reset routes, timers and the reset control register."""
        super().reset()
        self._set_reset_values()
        self._update_lines()


def _map_pin(devfn: int, pin: int) -> int:
    """Return the wire of a pin: slot 1 has INTA on wire 0, each further slot is one wire on."""
    return ((devfn >> 3) - 1 + pin) % PIRQ_WIRES
