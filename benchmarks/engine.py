"""What the engine makes of Unicorn, beside the documented way to use it, in one run.

The programs are loops that a guest runs by itself; what the loop costs is in the numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.accel.guest import DEVICE, Guest

from benchmarks.table import Row

ROUNDS = 5
_MORE = 25
"""Rounds of what takes some milliseconds alone: a busy host is seldom quiet for five of them."""
_FAST, _SLOW = 1_000_000, 2_000
_Start = Callable[[Guest, bytes], None]


def rows() -> list[Row]:
    """Return the time of one turn of each loop."""
    return [
        Row("a store to RAM", *_both(_stores, _FAST, _FAST, _MORE)),
        Row("INT n and IRET, real mode", *_both(_interrupts, _FAST // 10, _SLOW)),
        Row("a read of a port", *_both(_ports, _FAST // 50, _FAST // 50)),
        Row("a read of a device's register", *_both(_registers, _FAST // 50, _FAST // 50)),
    ]


def _both(
    start: _Start, turns: int, documented_turns: int, rounds: int = ROUNDS
) -> tuple[float, float]:
    with Guest(internals=True) as ours, Guest(internals=False) as theirs:
        times = [(_time(ours, start, turns), _time(theirs, start, documented_turns))
                 for _ in range(rounds)]  # fmt: skip
    return min(each[0] for each in times), min(each[1] for each in times)


def _time(guest: Guest, start: _Start, turns: int) -> float:
    start(guest, turns.to_bytes(4, "little"))
    begin = time.process_time()
    guest.run()
    return (time.process_time() - begin) / turns


def _stores(guest: Guest, turns: bytes) -> None:
    guest.flat(b"\xbf\x00\x00\x04\x00\xb9" + turns + b"\x89\x07\x49\x75\xfb\xf4")


def _interrupts(guest: Guest, turns: bytes) -> None:
    guest.vector(0x40, 0x2000)
    guest.memory.write(0x2000, b"\xcf")
    guest.real(b"\x66\xb9" + turns + b"\xcd\x40\x66\x49\x75\xfa\xf4")


def _ports(guest: Guest, turns: bytes) -> None:
    guest.reads.clear()
    guest.flat(b"\xb9" + turns + b"\xe4\x80\x49\x75\xfb\xf4")


def _registers(guest: Guest, turns: bytes) -> None:
    guest.device_log.clear()
    guest.flat(b"\xb9" + turns + b"\xa1" + DEVICE.to_bytes(4, "little") + b"\x49\x75\xf8\xf4")
