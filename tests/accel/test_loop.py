"""The run loop, on a vCPU that does what the test says: what every accelerator may rely on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from guestmap.accel import Activity, Exit, ExitReason, RunLoop
from guestmap.accel.exits import KICKED
from guestmap.accel.none import NoVcpu
from guestmap.base import HostError, ManualClock, StateError

HALTED = Exit(ExitReason.HALTED)
SHUTDOWN = Exit(ExitReason.SHUTDOWN, "triple fault")


class Scripted(NoVcpu):
    """Returns exits one after the other, and does something before each."""

    def __init__(self, *script: tuple[Callable[[], None], Exit] | Exit) -> None:
        super().__init__("scripted", 0)
        self.script = [each if isinstance(each, tuple) else (_nothing, each) for each in script]
        self.activity = Activity.ACTIVE
        self.prepared = self.kicks = 0
        self.kicked = threading.Event()

    def prepare(self) -> Activity:
        self.prepared += 1
        return self.activity

    def run(self) -> Exit:
        act, left = self.script.pop(0)
        act()
        return left

    def kick(self) -> None:
        self.kicks += 1
        self.kicked.set()

    def knows_interrupts(self) -> bool:
        return False


def _nothing() -> None:
    """Do nothing."""


def run(vcpu: Scripted) -> tuple[Exit, RunLoop, list[str]]:
    loop, halts = RunLoop(vcpu, ManualClock()), []
    loop.observe_halts(lambda: halts.append("HLT"))
    return loop.run(), loop, halts


@pytest.mark.parametrize("reason", [ExitReason.SHUTDOWN, ExitReason.DEBUG, ExitReason.ERROR])
def test_what_the_loop_cannot_answer_ends_the_run_with_its_message(reason: ExitReason) -> None:
    end = Exit(reason, "why")
    vcpu = Scripted(KICKED, KICKED, end)
    assert run(vcpu)[0] is end
    assert (vcpu.prepared, vcpu.script) == (3, [])


def test_a_halt_is_told_and_what_comes_next_is_for_the_vcpu_to_say() -> None:
    vcpu = Scripted(HALTED, SHUTDOWN)  # it halts, and has an interrupt to take at once
    end, _, halts = run(vcpu)
    assert (end, halts) == (SHUTDOWN, ["HLT"])


def test_a_halt_for_good_ends_the_run() -> None:
    vcpu = Scripted()
    vcpu.activity = Activity.HALTED_FOR_GOOD
    assert run(vcpu)[0].reason is ExitReason.HALTED


def test_what_the_host_refuses_ends_the_run_with_an_error() -> None:
    class Refusing(Scripted):
        def prepare(self) -> Activity:
            raise HostError("no more slots")

    end = run(Refusing())[0]
    assert (end.reason, end.message) == (ExitReason.ERROR, "no more slots")


def test_a_reset_that_was_asked_for_first_is_why_the_run_ends() -> None:
    """Code that asks for a reset goes on to fault or to halt: nobody hears of that."""
    for left in (SHUTDOWN, HALTED, KICKED):
        vcpu = Scripted((lambda: loop.request_reset(), left))  # noqa: B023 - called before the next
        loop, halts = RunLoop(vcpu, ManualClock()), []
        loop.observe_halts(lambda: halts.append("HLT"))  # noqa: B023
        assert loop.run().reason is ExitReason.RESET
        assert halts == []
        loop.stop()
        assert loop.run().reason is ExitReason.STOPPED  # and not SHUTDOWN


def test_an_interrupt_that_must_be_offered_again_makes_the_cpu_leave() -> None:
    def wait() -> None:
        assert vcpu.kicked.wait(30)

    vcpu = Scripted((wait, KICKED), SHUTDOWN)
    vcpu.activity = Activity.RETRYING
    assert run(vcpu)[0] is SHUTDOWN
    assert vcpu.kicks > 0


@pytest.mark.parametrize("ring", ["stop", "request_reset", "attend", "interrupts_changed"])
def test_each_ring_from_another_thread_makes_the_cpu_leave(ring: str) -> None:
    def inside() -> None:
        threading.Thread(target=getattr(loop, ring)).start()
        assert vcpu.kicked.wait(30)

    vcpu = Scripted((inside, KICKED), SHUTDOWN)
    loop = RunLoop(vcpu, ManualClock())
    assert loop.run().reason in {ExitReason.STOPPED, ExitReason.RESET, ExitReason.SHUTDOWN}
    assert vcpu.prepared >= 1


def test_a_vcpu_that_asks_for_attention_is_prepared_again() -> None:
    def inside() -> None:
        vcpu.notify()
        assert vcpu.kicks == 1

    vcpu = Scripted((inside, KICKED), SHUTDOWN)
    run(vcpu)
    assert vcpu.prepared == 2


def test_one_loop_at_a_time_has_a_vcpu() -> None:
    def inside() -> None:
        with pytest.raises(StateError, match="runs: stop it first"):
            RunLoop(vcpu, ManualClock())._run()

    vcpu = Scripted((inside, SHUTDOWN))
    assert run(vcpu)[0] is SHUTDOWN
    vcpu.closed = True
    with pytest.raises(StateError, match="closed"):
        RunLoop(vcpu, ManualClock()).run()


def test_what_a_device_raises_comes_out_and_the_loop_can_run_again() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    vcpu = Scripted((broken, KICKED), SHUTDOWN)
    loop = RunLoop(vcpu, ManualClock())
    with pytest.raises(ZeroDivisionError):
        loop.run()
    assert loop.run() is SHUTDOWN


def test_ctrl_c_waits_for_a_cpu_that_leaves_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller must find it stopped, however long that takes: it may be in a device."""
    entered, left = threading.Event(), []

    class Interrupted(threading.Event):
        waits = 0

        def wait(self, timeout: float | None = None) -> bool:
            self.waits += 1
            if self.waits == 1:
                assert entered.wait(30)
                raise KeyboardInterrupt
            return super().wait(timeout)

    def inside() -> None:
        entered.set()
        assert vcpu.kicked.wait(30)
        time.sleep(0.1)
        left.append(True)

    names = ("Thread", "current_thread", "main_thread")
    parts = {name: getattr(threading, name) for name in names} | {"Event": Interrupted}
    monkeypatch.setattr("guestmap.accel.loop.threading", SimpleNamespace(**parts))
    monkeypatch.setattr("guestmap.accel.loop._START_S", 0.01)
    vcpu = Scripted((inside, KICKED), SHUTDOWN)
    loop = RunLoop(vcpu, ManualClock())
    with pytest.raises(KeyboardInterrupt):
        loop.run()
    assert left
    monkeypatch.undo()
    assert loop.run() is SHUTDOWN


def test_forgetting_how_a_run_was_to_end() -> None:
    vcpu = Scripted(SHUTDOWN)
    loop = RunLoop(vcpu, ManualClock())
    loop.request_reset()
    loop.forget()
    assert loop.run() is SHUTDOWN
