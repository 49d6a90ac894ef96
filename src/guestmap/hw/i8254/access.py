"""How a counter of 16 bits is read and written through a port of 8 (Intel 8254 data sheet).

A control word says whether accesses are of the low byte, the high one, or one after the other. A
count, and the status, can be latched, so that both halves are of one moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.base import Clock
    from guestmap.hw.i8254.counter import Counter

_LOW, _HIGH, _LOW_THEN_HIGH, _HIGH_NEXT = 1, 2, 3, 4  # access modes, and the second half of 3


def set_mode(counter: Counter, control: int) -> None:
    """Take a control word that is no command: access in bits 5 and 4, mode in 3 to 1, BCD in 0."""
    counter.access = counter.read_state = counter.write_state = control >> 4 & 3
    counter.mode = control >> 1 & 7
    counter.bcd = bool(control & 1)


def read_byte(counter: Counter, clock: Clock) -> int:
    """Return what a read of the counter's port gives: latched status, latched count, or count."""
    if counter.status is not None:
        status, counter.status = counter.status, None
        return status
    if counter.latch_state:
        if counter.latch_state == _HIGH:
            counter.latch_state = 0
            return counter.latch >> 8
        counter.latch_state = _HIGH if counter.latch_state == _LOW_THEN_HIGH else 0
        return counter.latch & 0xFF
    value = counter.value(clock.now_ns())
    state = counter.read_state
    if state == _LOW_THEN_HIGH:
        counter.read_state = _HIGH_NEXT
    elif state == _HIGH_NEXT:
        counter.read_state = _LOW_THEN_HIGH
        return value >> 8 & 0xFF
    elif state == _HIGH:
        return value >> 8 & 0xFF
    return value & 0xFF


def write_byte(counter: Counter, value: int) -> int | None:
    """Take a byte written to the counter's port; return the new count once it is complete."""
    state = counter.write_state
    if state == _LOW_THEN_HIGH:
        counter.low_byte = value
        counter.write_state = _HIGH_NEXT
        return None
    if state == _HIGH_NEXT:
        counter.write_state = _LOW_THEN_HIGH
        return value << 8 | counter.low_byte
    return value << 8 if state == _HIGH else value


def read_back(counter: Counter, command: int, clock: Clock) -> None:
    """Latch count and status as the read-back command's low-active bits 5 and 4 ask."""
    if not command & 0x20:
        latch(counter, clock)
    if not command & 0x10 and counter.status is None:
        out = counter.out(clock.now_ns())
        counter.status = out << 7 | counter.access << 4 | counter.mode << 1 | counter.bcd


def latch(counter: Counter, clock: Clock) -> None:
    """Keep the count as it is now, until it is read; one that is kept already stays."""
    if not counter.latch_state:
        counter.latch = counter.value(clock.now_ns())
        counter.latch_state = counter.access
