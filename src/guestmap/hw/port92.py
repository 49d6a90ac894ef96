"""Port 92h, system control port A: the fast way to A20 and to a processor reset.

Bit 1 is address line A20, a rising bit 0 resets the processor (Intel 82371AB data sheet, "Port 92
register"). All eight bits read back.
"""

from __future__ import annotations

from collections.abc import Callable

from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import ISA_DEVICE, declare, output
from guestmap.hw.device import U8, DeviceModel, IoRegion, Place, Space
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps

PORT = 0x92

_RESET, _A20 = 0x01, 0x02


@dataclass(slots=True)
class Port92State:
    """The byte written last."""

    value: U8 = 0


class Port92(DeviceModel[Port92State]):
    """The port.

    Args:
        on_reset: called for a reset.
        on_a20: called with bit 1 at each write.
    """

    TYPE = declare("port92", ISA_DEVICE, output("a20[0]"))
    OUTLIVES_RESET = ("value",)

    def __init__(
        self,
        *,
        on_reset: Callable[[], None] = lambda: None,
        on_a20: Callable[[bool], None] = lambda _level: None,
    ) -> None:
        super().__init__(Port92State())
        self._on_reset, self._on_a20 = on_reset, on_a20

    def places(self) -> tuple[Place, ...]:
        """Return ``port92``, 1 byte."""
        ops = MemoryRegionOps(
            read=self._read,
            write=self._write,
            impl=AccessSizes(min=1, max=1),
            endianness=Endianness.LITTLE,
        )
        return (Place(Space.IO, PORT, IoRegion("port92", 1, ops)),)

    def reset(self) -> None:
        """Clear bit 0; the other bits stay, A20 too (QEMU 7.2)."""
        super().reset()
        self.state.value &= ~_RESET

    def _read(self, offset: int, size: int) -> int:
        return self.state.value

    def _write(self, offset: int, value: int, size: int) -> None:
        before, self.state.value = self.state.value, value & 0xFF
        self._on_a20(bool(value & _A20))
        if value & _RESET and not before & _RESET:
            self._on_reset()
