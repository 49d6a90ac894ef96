"""The ISA debug console: a port that takes the firmware's log, one byte for each write.

SeaBIOS looks for it by reading port 402h: E9h means that somebody listens (``isa-debugcon``).
"""

from __future__ import annotations

from collections.abc import Callable

from guestmap.hw.declare import CHARDEV, ISA_DEVICE, declare, setting
from guestmap.hw.device import DeviceModel, IoRegion, Place, Space, Stateless
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps
from guestmap.qom import STR, UINT32

PORT = 0x402
READBACK = 0xE9


class DebugConsole(DeviceModel[Stateless]):
    """The console.

    Args:
        sink: called with each byte (0-255) as it is written.
        port: where it is.
        chardev: the name of what it is connected to.
    """

    TYPE = declare(
        "isa-debugcon",
        ISA_DEVICE,
        setting("iobase", UINT32, 0xE9),
        setting("chardev", STR, description=CHARDEV),
        setting("readback", UINT32, READBACK),
        user_creatable=True,
    )

    def __init__(
        self, sink: Callable[[int], object], *, port: int = PORT, chardev: str = "debugcon"
    ) -> None:
        super().__init__(Stateless(), {"iobase": port, "chardev": chardev})
        self._sink = sink
        self._port = port

    def places(self) -> tuple[Place, ...]:
        """Return ``isa-debugcon``, 1 byte; only byte accesses are valid."""
        ops = MemoryRegionOps(
            read=self._read,
            write=self._write,
            valid=AccessSizes(min=1, max=1),
            endianness=Endianness.LITTLE,
        )
        return (Place(Space.IO, self._port, IoRegion("isa-debugcon", 1, ops)),)

    def _read(self, offset: int, size: int) -> int:
        return READBACK

    def _write(self, offset: int, value: int, size: int) -> None:
        self._sink(value & 0xFF)
