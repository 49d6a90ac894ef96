"""ACPI's Generic Event Device of boards without the fixed hardware of a PC.

The guest is told of events by an interrupt, and reads which they were from one register, which
that empties (ACPI 6.4, section 5.6.9; the register is QEMU's, docs/specs/acpi_hw_reduced_hotplug).
Beside it are the sleep control, sleep status and reset registers of hardware-reduced ACPI (sections
4.8.3.7 and 4.8.3.6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import SYS_BUS_DEVICE, declare, output, setting
from guestmap.hw.device import U32, DeviceModel, IoRegion, Place, Space
from guestmap.memory import AccessSizes, MemoryRegionOps
from guestmap.qom import UINT32

if TYPE_CHECKING:
    from guestmap.base import IrqLine

POWER_DOWN: Final = 1 << 1
"""The event of the power button."""

_REGISTERS = 0x200
_SLEEP_CONTROL, _RESET = 0, 2
_SLEEP_ENABLE, _SLEEP_TYPE_SHIFT, _SLEEP_TYPE_MASK, _SOFT_OFF = 1 << 5, 2, 7, 5
_RESET_VALUE = 0x42


@dataclass(slots=True)
class GedState:
    """The events that the guest has not read yet."""

    selector: U32 = 0


class AcpiGed(DeviceModel[GedState]):
    """The device.

    Args:
        address: of the event register; the others are 200h behind it.
        irq: tells the guest to look.
        on_power_off: called when the guest switches itself off.
        on_reset: called with the reason when the guest resets itself.
    """

    TYPE = declare(
        "acpi-ged-x86",
        declare(
            "acpi-ged",
            SYS_BUS_DEVICE,
            setting("ged-event", UINT32, 0),
            output("sysbus-irq[0]"),
            interfaces=("acpi-device-interface", "hotplug-handler"),
        ),
    )

    def __init__(
        self,
        address: int,
        irq: IrqLine,
        *,
        on_power_off: Callable[[], None] = lambda: None,
        on_reset: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        super().__init__(GedState(), {"ged-event": POWER_DOWN})
        self._address = address
        self._irq = irq
        self._on_power_off, self._on_reset = on_power_off, on_reset

    def places(self) -> tuple[Place, ...]:
        """Return the event register and the three others."""
        events = MemoryRegionOps(
            read=self._read_events, write=self._ignore, valid=AccessSizes(min=4, max=4)
        )
        others = MemoryRegionOps(
            read=self._read, write=self._write, valid=AccessSizes(min=1, max=1)
        )
        return (
            Place(Space.MEMORY, self._address, IoRegion("acpi-ged", 4, events)),
            Place(Space.MEMORY, self._address + _REGISTERS, IoRegion("acpi-ged-regs", 3, others)),
        )

    @property
    def wires(self) -> Mapping[str, IrqLine]:
        """What tells the guest to look."""
        return {"sysbus-irq[0]": self._irq}

    def raise_event(self, event: int) -> None:
        """Tell the guest of an event."""
        self.state.selector |= event
        self._irq.set(True)
        self._irq.set(False)

    def _read_events(self, offset: int, size: int) -> int:
        events, self.state.selector = self.state.selector, 0
        return events

    def _ignore(self, offset: int, value: int, size: int) -> None:
        pass

    def _read(self, offset: int, size: int) -> int:
        return 0

    def _write(self, offset: int, value: int, size: int) -> None:
        kind = value >> _SLEEP_TYPE_SHIFT & _SLEEP_TYPE_MASK
        if offset == _SLEEP_CONTROL and value & _SLEEP_ENABLE and kind == _SOFT_OFF:
            self._on_power_off()
        elif offset == _RESET and value == _RESET_VALUE:
            self._on_reset("ACPI reset register")
