"""Time of day in the ten registers of an MC146818: BCD or binary, 12 or 24 hours.

A guest can write nonsense (month 7Fh, BCD digits above 9); every value has a meaning here, the one
that plain arithmetic gives it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from guestmap.base.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

SECOND_NS = 1_000_000_000

_SECONDS, _SECONDS_ALARM, _MINUTES, _MINUTES_ALARM, _HOURS, _HOURS_ALARM = range(6)
_WEEKDAY, _DAY, _MONTH, _YEAR, _REG_B, _CENTURY = 6, 7, 8, 9, 0x0B, 0x32

_B_BINARY, _B_24_HOURS = 0x04, 0x02
_PM = 0x80
_DAY_SECONDS = 86_400
ANY = -1
"""What a register of C0h-FFh stands for: in an alarm, every value (data sheet, "Alarm")."""


class RtcTime(NamedTuple):
    """A date and a time, as the registers say; weekday 1 is Sunday. Fields may be out of range."""

    year: int
    month: int
    day: int
    weekday: int
    hour: int
    minute: int
    second: int

    def seconds_since_1970(self) -> int:
        """Return the time as seconds since 1970 UTC (days of a 400-year cycle, no range check)."""
        # Counting the year from March puts the leap day last (a well-known form of the
        # proleptic Gregorian day number).
        year, month = (self.year, self.month - 3) if self.month > 2 else (
            self.year - 1, self.month + 9)  # fmt: skip
        days = 365 * year + year // 4 - year // 100 + year // 400
        days += (153 * month + 2) // 5 + self.day - 1 - 719_468
        return ((days * 24 + self.hour) * 60 + self.minute) * 60 + self.second


def _from_register(value: int, *, binary: bool) -> int:
    if value & 0xC0 == 0xC0:
        return ANY  # in a time of day, where it means nothing, arithmetic goes on with -1
    return value if binary else (value >> 4) * 10 + (value & 0x0F)


def _hours(value: int, mode: int) -> int:
    hours = _from_register(value & 0x7F, binary=bool(mode & _B_BINARY))
    if not mode & _B_24_HOURS:
        hours = hours % 12 + (12 if value & _PM else 0)
    return hours


def decode_time(cmos: Sequence[int]) -> RtcTime:
    """Read the time registers."""
    mode = cmos[_REG_B]
    binary = bool(mode & _B_BINARY)
    year = _from_register(cmos[_YEAR], binary=binary)
    year += 100 * _from_register(cmos[_CENTURY], binary=binary)
    return RtcTime(
        year,
        _from_register(cmos[_MONTH], binary=binary),
        _from_register(cmos[_DAY], binary=binary),
        _from_register(cmos[_WEEKDAY], binary=binary),
        _hours(cmos[_HOURS], mode),
        _from_register(cmos[_MINUTES], binary=binary),
        _from_register(cmos[_SECONDS], binary=binary),
    )


def encode_time(cmos: bytearray, seconds: int) -> None:
    """Write ``seconds`` since 1970 UTC into the time registers, in the format register B asks."""
    now = time.gmtime(seconds)
    mode = cmos[_REG_B]
    hours = now.tm_hour
    pm = 0
    if not mode & _B_24_HOURS:
        pm = _PM if hours >= 12 else 0
        hours = hours % 12 or 12
    fields = (
        (_SECONDS, now.tm_sec), (_MINUTES, now.tm_min), (_HOURS, hours),
        (_WEEKDAY, (now.tm_wday + 1) % 7 + 1), (_DAY, now.tm_mday), (_MONTH, now.tm_mon),
        (_YEAR, now.tm_year % 100), (_CENTURY, now.tm_year // 100 % 256),
    )  # fmt: skip
    for register, value in fields:
        cmos[register] = value if mode & _B_BINARY else value // 10 << 4 & 0xFF | value % 10
    cmos[_HOURS] |= pm


def decode_alarm(cmos: Sequence[int]) -> tuple[int, int, int]:
    """Return (hour, minute, second) of the alarm, ``ANY`` where the guest does not care."""
    mode = cmos[_REG_B]
    binary = bool(mode & _B_BINARY)
    hours = cmos[_HOURS_ALARM]
    return (
        ANY if hours & 0xC0 == 0xC0 else _hours(hours, mode),
        _from_register(cmos[_MINUTES_ALARM], binary=binary),
        _from_register(cmos[_SECONDS_ALARM], binary=binary),
    )


def seconds_to_alarm(now: RtcTime, alarm: tuple[int, int, int]) -> int:
    """Return the seconds (1-86400) until the time of day next matches the alarm."""
    hour, minute, second = alarm
    # Where any value will do, the next match keeps the present value, moves to the next one, or
    # starts again at 0.
    hours = (now.hour, now.hour + 1, 0) if hour == ANY else (hour,)
    minutes = (now.minute, (now.minute + 1) % 60, 0) if minute == ANY else (minute,)
    seconds = ((now.second + 1) % 60, 0) if second == ANY else (second,)
    present = (now.hour * 60 + now.minute) * 60 + now.second
    return min(
        ((h * 60 + m) * 60 + s - present) % _DAY_SECONDS or _DAY_SECONDS
        for h in hours
        for m in minutes
        for s in seconds
    )
