"""Port 61h: the speaker gate of the interval timer and what SeaBIOS and DOS wait on.

Bits as in the IBM PC AT's system control port B (Intel 82371AB data sheet, "NMI status and control
register"): 0 gate of counter 2, 1 speaker data, 4 refresh toggle, 5 output of counter 2. The
refresh bit toggles with each read, as QEMU's does: loops that count its changes end at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import ISA_DEVICE, declare, fact, setting
from guestmap.hw.device import U8, DeviceModel, IoRegion, Place, Space
from guestmap.memory import AccessSizes, MemoryRegionOps
from guestmap.qom import BOOL, STR, UINT32, link

if TYPE_CHECKING:
    from guestmap.hw.i8254 import I8254

PORT = 0x61

_SPEAKER_COUNTER = 2
_REFRESH = 0x10


@dataclass(slots=True)
class SpeakerState:
    """The refresh bit as it was read last, and whether the counter's output reaches the speaker."""

    refresh: U8 = 0
    data_on: bool = False


class PcSpeaker(DeviceModel[SpeakerState]):
    """The speaker port; it makes no sound. The speaker bit survives a reset.

    Args:
        pit: the timer whose gate it drives.
    """

    TYPE = declare(
        "isa-pcspk",
        ISA_DEVICE,
        setting("audiodev", STR, description="ID of an audiodev to use as a backend"),
        setting("iobase", UINT32, PORT),
        setting("migrate", BOOL, True),
        fact("pit", link("pit-common"), ""),
    )
    OUTLIVES_RESET = ("refresh", "data_on")

    def __init__(self, pit: I8254) -> None:
        super().__init__(SpeakerState())
        self._pit = pit

    def places(self) -> tuple[Place, ...]:
        """Return ``pcspk``, 1 byte."""
        one = AccessSizes(min=1, max=1)
        ops = MemoryRegionOps(read=self._read, write=self._write, impl=one)
        return (Place(Space.IO, PORT, IoRegion("pcspk", 1, ops)),)

    @property
    def peers(self) -> Mapping[str, DeviceModel[Any]]:
        """The timer."""
        return {"pit": self._pit}

    def _read(self, offset: int, size: int) -> int:
        self.state.refresh ^= _REFRESH
        return (
            self._pit.counters[_SPEAKER_COUNTER].gate
            | self.state.data_on << 1
            | self.state.refresh
            | self._pit.out(_SPEAKER_COUNTER) << 5
        )

    def _write(self, offset: int, value: int, size: int) -> None:
        self.state.data_on = bool(value & 2)
        self._pit.set_gate(_SPEAKER_COUNTER, bool(value & 1))
