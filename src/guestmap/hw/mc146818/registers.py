"""The real-time clock's registers: where they are, their bits, and what it remembers."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.device import Ns
from guestmap.hw.mc146818.time import SECOND_NS

CRYSTAL_HZ = 32_768

SECONDS, MINUTES, HOURS = 0x00, 0x02, 0x04
SECONDS_ALARM, MINUTES_ALARM, HOURS_ALARM = 0x01, 0x03, 0x05
WEEKDAY, DAY, MONTH, YEAR = 0x06, 0x07, 0x08, 0x09
A, B, C, D = 0x0A, 0x0B, 0x0C, 0x0D
SHUTDOWN_STATUS = 0x0F
CENTURY, CENTURY_PS2 = 0x32, 0x37

TIME_REGISTERS = frozenset((SECONDS, MINUTES, HOURS, WEEKDAY, DAY, MONTH, YEAR, CENTURY))
ALARM_REGISTERS = frozenset((SECONDS_ALARM, MINUTES_ALARM, HOURS_ALARM))

A_UIP, A_DIVIDER, A_DIVIDER_RESET, A_RATE = 0x80, 0x70, 0x60, 0x0F
A_DIVIDER_32768 = 0x20  # and below: the divider runs
B_SET, B_PIE, B_AIE, B_UIE, B_SQWE = 0x80, 0x40, 0x20, 0x10, 0x08
C_IRQF, C_PF, C_AF, C_UF = 0x80, 0x40, 0x20, 0x10

_MAX_AHEAD_S = 1 << 40


def _power_on_memory() -> bytearray:
    cmos = bytearray(128)
    cmos[A] = A_DIVIDER_32768 | 6  # 32768 Hz time base, 1024 Hz periodic rate
    cmos[B] = 0x02  # BCD, 24 hours
    cmos[D] = 0x80  # the battery is good
    return cmos


@dataclass(slots=True)
class RtcState:
    """The 128 bytes, how far the guest has set the clock, and when it interrupts."""

    cmos: Annotated[bytearray, Meta(min_length=128, max_length=128)] = field(
        default_factory=_power_on_memory
    )
    index: Annotated[int, Meta(ge=0, le=0x7F)] = 0
    ahead_s: Annotated[int, Meta(ge=-_MAX_AHEAD_S, le=_MAX_AHEAD_S)] = 0
    """With ``ahead_ns``: how far the time of day is ahead of the host's."""
    ahead_ns: Annotated[int, Meta(ge=0, lt=SECOND_NS)] = 0
    fraction_ns: Annotated[int, Meta(ge=0, lt=SECOND_NS)] = 0
    periodic_in_ns: tuple[Ns, Ns] | None = None
    """In how many ns the next periodic interrupt is due, and comes: the host's time goes on."""
