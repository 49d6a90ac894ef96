"""The main counter of the HPET, and the registers that say whether it runs.

The counter is never stepped: it is what the clock says when somebody asks.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Annotated

from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U64, DeviceModel
from guestmap.hw.hpet.timer import TICK_NS, HpetTimerState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guestmap.base import Clock
    from guestmap.qom import JsonValue

TIMERS = 3
ENABLE, LEGACY = 0x1, 0x2
"""Bits of the configuration register."""
_LOW, _HIGH, _ALL = 0xFFFFFFFF, 0xFFFFFFFF00000000, 0xFFFFFFFFFFFFFFFF


@dataclass(slots=True)
class HpetState:
    """The registers, where the counter stands or when it was 0, and the timers.

    QEMU answers for one timer more than it has; it can be written but never started.
    """

    config: Annotated[int, Meta(ge=0, le=3)] = 0
    status: Annotated[int, Meta(ge=0, lt=1 << TIMERS + 1)] = 0
    stopped_at: U64 = 0
    origin_ns: U64 = 0
    """Modulo 2**64."""
    timers: Annotated[list[HpetTimerState], Meta(min_length=TIMERS + 1, max_length=TIMERS + 1)] = (
        field(default_factory=list)
    )
    levels: tuple[bool, bool] = (False, False)
    """Of the lines that come in."""


class HpetCounter(DeviceModel[HpetState]):
    """The counter.

    Args:
        clock: its source.
        settings: see :class:`guestmap.hw.device.DeviceModel`.
    """

    def __init__(self, clock: Clock, settings: Mapping[str, JsonValue]) -> None:
        super().__init__(HpetState(), settings)
        self._clock = clock

    @property
    def config(self) -> int:
        """The general configuration register."""
        return self.state.config

    @property
    def status(self) -> int:
        """The interrupt status register."""
        return self.state.status

    @status.setter
    def status(self, value: int) -> None:
        self.state.status = value

    @property
    def enabled(self) -> bool:
        """The counter runs and timers may interrupt."""
        return bool(self.state.config & ENABLE)

    @property
    def legacy(self) -> bool:
        """Timers 0 and 1 have taken the lines of the PIT and the RTC."""
        return bool(self.state.config & LEGACY)

    def ticks(self) -> int:
        """Return the main counter.

        As in QEMU a running counter is 64 bits of nanoseconds divided by ten, so it wraps 4 bits
        early (after 584 years); one that is stopped has all 64.
        """
        return self.ticks_at(self._clock.now_ns())

    def ticks_at(self, now_ns: int) -> int:
        """Return the main counter as it is at ``now_ns`` of the clock."""
        if not self.enabled:
            return self.state.stopped_at
        return (now_ns - self.state.origin_ns & _ALL) // TICK_NS

    def _set_config(self, value: int) -> int:
        """Let the counter run or stand, as the configuration register says now; return changes."""
        now = self.ticks()
        changed = self.state.config ^ value
        self.state.config = value & (ENABLE | LEGACY)
        if changed & value & ENABLE:
            origin_ns = self._clock.now_ns() - self.state.stopped_at * TICK_NS
            self.state.origin_ns = origin_ns & _ALL
        elif changed & ENABLE:
            self.state.stopped_at = now
        return changed

    def _write_counter(self, value: int, *, high: bool) -> None:
        """Write one half of a counter that stands."""
        kept = self.state.stopped_at & (_LOW if high else _HIGH)
        self.state.stopped_at = kept | (value << 32 if high else value)
