"""Timer and clock chip against a QEMU whose time passes.

The guest does nothing but halt. The HPET's counter, started at time 0, tells QEMU's time to 10 ns,
and stands still with the machine; our clock is then set to the same time.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.hw.device_traffic import RTC_BASE, TRAFFIC, Bench
from tests.support.qemu import Qemu

pytestmark = [pytest.mark.qemu, pytest.mark.qemu_7_2("its timers' registers")]

HPET_CONFIG, HPET_COUNTER = 0xFED00010, 0xFED000F0
HPET_PERIOD_NS = 10


class Pair:
    """One device in QEMU and on our bench, at the same time of day."""

    def __init__(self, name: str, qemu: Qemu) -> None:
        self.qemu = qemu
        self.bench = Bench()
        TRAFFIC[name].build(self.bench)
        self.qemu.store(HPET_CONFIG, 4, 1)

    def outb(self, port: int, value: int) -> None:
        self.qemu.outb(port, value)
        self.bench.outb(port, value)

    def run(self, seconds: float) -> None:
        """Let QEMU run for about so long, stop it, and catch up with it."""
        self.qemu.qmp("cont")
        time.sleep(seconds)  # QEMU runs in real time; what it did is read off its own clock
        self.qemu.qmp("stop")
        now = self.qemu.load(HPET_COUNTER, 8) * HPET_PERIOD_NS
        self.bench.clock.advance(now - self.bench.clock.now_ns())


@pytest.fixture
def halted(tmp_path: Path) -> tuple[str, ...]:
    """Arguments for a machine whose firmware disables interrupts and halts."""
    image = bytearray(0x10000)
    image[0xFFF0:0xFFF4] = b"\xfa\xf4\xeb\xfd"  # cli; hlt; jmp back
    path = tmp_path / "halt.bin"
    path.write_bytes(image)
    return ("-bios", str(path), "-rtc", f"base={RTC_BASE},clock=vm")


def _snapshot(source: Qemu | Bench) -> list[tuple[int, int]]:
    """Latch and return status and count of all three counters."""
    source.outb(0x43, 0xCE)
    return [
        (source.inb(port), source.inb(port) | source.inb(port) << 8) for port in (0x40, 0x41, 0x42)
    ]


@pytest.mark.parametrize("mode", range(6))
def test_counters_and_outputs_agree(halted: tuple[str, ...], mode: int) -> None:
    rng = random.Random(mode)
    with Qemu(*halted) as qemu:
        pair = Pair("pit", qemu)
        pair.outb(0x61, 0x01)
        for _ in range(6):
            for counter in range(3):
                pair.outb(0x43, counter << 6 | 0x30 | mode << 1)
                count = rng.choice((0x10000, 1000, 0x8001, rng.randrange(50, 0x10000)))
                pair.outb(0x40 + counter, count & 0xFF)
                pair.outb(0x40 + counter, count >> 8 & 0xFF)
            pair.run(rng.uniform(0.001, 0.03))
            # The 10 ns that the HPET does not resolve may hide one clock pulse.
            pulse = 2 if mode == 3 else 1
            for ours, theirs in zip(_snapshot(pair.bench), _snapshot(qemu), strict=True):
                assert ours[0] == theirs[0]
                assert (ours[1] - theirs[1] + pulse) % 0x10000 <= 2 * pulse


def _registers(source: Qemu | Bench) -> list[int]:
    values = []
    for index in (*range(14), 0x32):
        source.outb(0x70, index)
        values.append(source.inb(0x71))
    return values


@pytest.mark.slow
@pytest.mark.parametrize("enabled", [0x02, 0x22, 0x72])
def test_time_and_flags_agree(halted: tuple[str, ...], enabled: int) -> None:
    with Qemu(*halted) as qemu:
        pair = Pair("rtc", qemu)
        for index, value in ((1, 0x08), (3, 0x06), (5, 0xFF), (10, 0x2D), (11, enabled)):
            pair.outb(0x70, index)
            pair.outb(0x71, value)
        for seconds in (0.01, 0.3, 0.8, 1.0):
            pair.run(seconds)
            theirs = _registers(qemu)
            assert _registers(pair.bench) == theirs
