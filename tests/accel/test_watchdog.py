"""A CPU that stands still is told of once; one that works, waits or moves is not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from guestmap.accel import Exit, ExitReason, Register, RunLoop, Segment, SegmentRegister, Standstill
from guestmap.accel.doorbell import Doorbell
from guestmap.accel.exits import KICKED
from guestmap.accel.watchdog import Watchdog
from guestmap.base import HostClock, ManualClock
from tests.accel.guest import CODE, Guest, later
from tests.accel.test_loop import Scripted

PERIOD = 1000
END = Exit(ExitReason.SHUTDOWN)


class Placed(Scripted):
    """A CPU with a place in its program, and one register."""

    ip = count = 0

    def read_register(self, register: Register) -> int:
        return self.ip if register is Register.EIP else self.count

    def read_segment(self, register: SegmentRegister) -> Segment:
        return Segment(0xF000, 0, 0)


def told(act: Callable[[Placed], None], left: Exit, looks: int = 6) -> list[Standstill]:
    """Do something before each of some looks, with an exit of a kind; return what is told."""
    clock = ManualClock()
    vcpu = Placed()
    vcpu.ip = 0x1234

    def step() -> None:
        act(vcpu)
        clock.advance(PERIOD)

    vcpu.script = [(step, left)] * looks + [(lambda: None, END)]
    loop, heard = RunLoop(vcpu, clock), []
    Watchdog(loop, heard.append, PERIOD)
    assert loop.run() is END
    return heard


def test_a_cpu_that_stands_still_is_told_of_once() -> None:
    (heard,) = told(lambda _: None, KICKED)
    assert (heard.vcpu, heard.where) == (0, (0xF000, 0x1234))
    assert "stands still at f000:00001234" in str(heard)


def test_one_that_goes_on_and_stops_again_is_told_of_again() -> None:
    def act(vcpu: Placed) -> None:
        steps.append(vcpu)
        vcpu.ip += len(steps) == 4

    steps: list[Placed] = []
    assert [each.where for each in told(act, KICKED)] == [(0xF000, 0x1234), (0xF000, 0x1235)]


@pytest.mark.parametrize("name", ["ip", "count"])
def test_a_cpu_that_works_is_not_told_of(name: str) -> None:
    assert not told(lambda vcpu: setattr(vcpu, name, getattr(vcpu, name) + 1), KICKED)


def test_a_cpu_that_waits_for_an_interrupt_is_not_told_of() -> None:
    assert not told(lambda _: None, Exit(ExitReason.HALTED))


def test_a_cpu_that_does_not_leave_is_told_of_once() -> None:
    heard: list[float] = []
    calls = threading.Semaphore(0)
    bell = Doorbell(HostClock(), calls.release, patience_s=0.01)
    bell.on_deaf = heard.append
    bell.open()
    bell.answer()
    assert bell.enter()
    before = time.monotonic()
    bell.ring()
    for _ in range(60):
        assert calls.acquire(timeout=30)
    bell.left()
    bell.shut()
    (seconds,) = heard
    assert 0.01 <= seconds <= time.monotonic() - before
    assert "does not leave the guest, 7 s" in str(Standstill(0, 1, 7, None))


@pytest.mark.kvm
def test_a_guest_that_jumps_to_itself_on_kvm() -> None:
    with Guest("kvm") as guest:
        heard: list[Standstill] = []

        def tell(each: Standstill) -> None:
            heard.append(each)
            guest.loop.stop()

        Watchdog(guest.loop, tell, 20_000_000)
        guest.real(b"\xeb\xfe")
        guard = later(guest.loop.stop, 60)
        assert guest.run().reason is ExitReason.STOPPED
        guard.cancel()
        assert [each.where for each in heard] == [(0, CODE)]
