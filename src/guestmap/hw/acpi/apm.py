"""The advanced power management ports B2h (control) and B3h (status) of the PIIX4.

Intel 82371AB (PIIX4) data sheet, section 7.2.5 (APMC, APMS). A write to the control port asks the
system management handler for something; there is only memory behind the status port. Both outlive
a reset, and a wider access goes back and forth between the two, as in QEMU 7.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U8, IoRegion, Place, RegisterBlock, Space
from guestmap.memory import AccessSizes, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Callable

PORT, PORT_BYTES = 0xB2, 2


@dataclass(slots=True)
class ApmState:
    """What both ports hold."""

    control: U8 = 0
    status: U8 = 0


class Apm(RegisterBlock[ApmState]):
    """The two ports. A reset leaves them alone.

    Args:
        on_control: called with each value written to the control port.
    """

    OUTLIVES_RESET = ("control", "status")

    def __init__(self, on_control: Callable[[int], None]) -> None:
        super().__init__(ApmState())
        self._on_control = on_control

    def places(self) -> tuple[Place, ...]:
        """Return ``apm-io``, 2 bytes, at port B2h."""
        ops = MemoryRegionOps(read=self._read, write=self._write, impl=AccessSizes(1, 1))
        return (Place(Space.IO, PORT, IoRegion("apm-io", PORT_BYTES, ops)),)

    def _read(self, offset: int, _size: int) -> int:
        return self.state.status if offset & 1 else self.state.control

    def _write(self, offset: int, value: int, _size: int) -> None:
        if offset & 1:
            self.state.status = value & 0xFF
        else:
            self.state.control = value & 0xFF
            self._on_control(value & 0xFF)
