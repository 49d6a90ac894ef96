"""A machine in a thread of its own, and others that come to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest

from guestmap.accel import ACCELERATORS, Activity
from guestmap.accel.none import NoAccelerator, NoVcpu
from guestmap.base import StateError
from guestmap.machine import (
    Event,
    MachineConfig,
    MachineEvent,
    Phase,
    PhaseChange,
    RunState,
    VirtualMachine,
)
from guestmap.machine.runner import Runner
from tests.support.interrupts import INTERRUPTS

pytestmark = [pytest.mark.seabios]

DEADLINE_S = 60


class Started:
    """A machine, and what it told."""

    def __init__(self, engine: str) -> None:
        self.vm = VirtualMachine(MachineConfig(debugcon=True), engine=engine)
        self.events: list[MachineEvent] = []
        self.told = threading.Condition()
        self.vm.events.subscribe(self._hear)

    def _hear(self, event: MachineEvent) -> None:
        with self.told:
            self.events.append(event)
            self.told.notify_all()

    def await_event(self, name: str, count: int = 1) -> None:
        with self.told:
            assert self.told.wait_for(
                lambda: sum(event.name == name for event in self.events) >= count, DEADLINE_S
            )

    def names(self) -> list[str]:
        return [event.name for event in self.events]


@pytest.fixture(params=["none", pytest.param("unicorn", marks=pytest.mark.unicorn)])
def started(request: pytest.FixtureRequest) -> Iterator[Started]:
    made = Started(request.param)
    yield made
    made.vm.close()


def test_a_machine_waits_for_cont(started: Started) -> None:
    vm = started.vm
    vm.start(paused=True)
    assert vm.state is RunState.PRELAUNCH
    vm.cont()
    assert vm.state is RunState.RUNNING
    vm.stop()
    assert vm.state is RunState.PAUSED
    vm.cont()
    vm.quit()
    assert vm.wait(DEADLINE_S)
    assert started.names() == ["RESUME", "STOP", "RESUME", "SHUTDOWN"]
    assert started.events[-1].data == {"guest": False, "reason": "host-qmp-quit"}


def test_it_is_started_once(started: Started) -> None:
    started.vm.start(paused=True)
    with pytest.raises(StateError, match="started before"):
        started.vm.start()
    with pytest.raises(StateError, match="cont"):
        started.vm.run()


def test_everybody_gets_a_turn(started: Started) -> None:
    """Four threads at a running machine: one at a time, and none is left waiting."""
    vm = started.vm
    vm.start()
    inside, most, turns = 0, 0, [0] * 4

    def come(number: int) -> None:
        nonlocal inside, most
        for _ in range(50):
            with vm.exclusive(), vm.exclusive():
                inside += 1
                most = max(most, inside)
                time.sleep(0)
                inside -= 1
                turns[number] += 1

    threads = [threading.Thread(target=come, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert (most, turns) == (1, [50] * 4)
    assert vm.state is RunState.RUNNING


@pytest.mark.unicorn
def test_the_guest_stands_still_in_a_turn() -> None:
    """POST goes on between turns and not in them."""
    started = Started("unicorn")
    vm = started.vm
    vm.start()
    seen = 0
    while vm.phases.phase is not Phase.HALT:
        with vm.exclusive():
            before = len(vm.log), vm.accelerator.statistics().entries
            time.sleep(0.002)
            assert (len(vm.log), vm.accelerator.statistics().entries) == before
        seen += 1
        time.sleep(0.001)
    assert seen > 3
    vm.close()


@pytest.mark.unicorn
def test_where_a_run_stopped_is_no_place_to_stop_later() -> None:
    started = Started("unicorn")
    vm = started.vm
    vm.run(until=Phase.PREINIT)
    assert vm.state is RunState.PAUSED
    vm.start(paused=True)
    vm.system_reset()
    started.await_event("RESET")
    vm.cont()
    while vm.phases.phase is not Phase.HALT and "STOP" not in started.names()[3:]:
        time.sleep(0.001)
    assert started.names() == ["RESUME", "STOP", "RESET", "RESUME"]
    vm.close()


class HaltsForGood(NoVcpu):
    """Each run ends at once with a HLT that nothing ends."""

    runs = 0

    def prepare(self) -> Activity:
        self.runs += 1
        return Activity.HALTED_FOR_GOOD


class Halting(NoAccelerator):
    """Has such a CPU."""

    def __init__(self, *_: object) -> None:
        self._vcpus = [HaltsForGood("halts", 0)]


@pytest.fixture
def halting(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Started, HaltsForGood]]:
    monkeypatch.setitem(ACCELERATORS, "halts", (__name__, Halting.__name__))
    made = Started("halts")
    assert isinstance(made.vm.vcpu, HaltsForGood)
    yield made, made.vm.vcpu
    made.vm.close()


def test_a_machine_that_halted_for_good_runs_again_when_told_to(
    halting: tuple[Started, HaltsForGood],
) -> None:
    """A debugger may have changed what it will do."""
    started, vcpu = halting
    for runs in (1, 2, 3):
        assert started.vm.run() is RunState.PAUSED
        assert vcpu.runs == runs
    assert started.names() == ["RESUME", "STOP"] * 3


def test_a_machine_in_a_thread_that_halted_for_good_goes_on_after_stop_and_cont(
    halting: tuple[Started, HaltsForGood],
) -> None:
    started, vcpu = halting
    vm, halted = started.vm, threading.Semaphore(0)
    vm.phases.halted = lambda **_: halted.release()  # type: ignore[method-assign]
    vm.start()
    for runs in (1, 2):
        assert halted.acquire(timeout=DEADLINE_S)
        with vm.exclusive():
            assert vcpu.runs == runs
            assert vm.state is RunState.RUNNING  # it waits for a reset, say
        vm.cont()  # it runs: nothing changes
        vm.stop()
        vm.cont()
    assert halted.acquire(timeout=DEADLINE_S)
    vm.system_reset()
    started.await_event("RESET")
    assert halted.acquire(timeout=DEADLINE_S)
    assert vcpu.runs == 4


class Interrupted(NoVcpu):
    """Ctrl-C comes in each run."""

    def prepare(self) -> Activity:
        raise KeyboardInterrupt


class Interrupting(NoAccelerator):
    """Has such a CPU."""

    def __init__(self, *_: object) -> None:
        self._vcpus = [Interrupted("interrupted", 0)]


def test_a_run_that_is_interrupted_leaves_a_machine_that_is_paused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(ACCELERATORS, "interrupted", (__name__, Interrupting.__name__))
    started = Started("interrupted")
    vm = started.vm
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            vm.run()
        assert vm.state is RunState.PAUSED
        assert not vm.board.clock.running
    assert started.names() == ["RESUME", "STOP"] * 2
    vm.close()


def test_an_observer_may_end_the_machine_before_it_runs() -> None:
    def observe(event: Event) -> None:
        if isinstance(event, PhaseChange):
            vm.quit()

    with VirtualMachine(MachineConfig(), engine="none", observer=observe) as vm:
        assert vm.run() is RunState.SHUTDOWN
        assert not vm.board.clock.running


def test_a_reset_by_the_host(started: Started) -> None:
    vm = started.vm
    vm.start()
    vm.system_reset()
    started.await_event("RESET")
    assert started.events[-1].data == {"guest": False, "reason": "host-qmp-system-reset"}
    assert vm.state is RunState.RUNNING


def test_a_reset_of_a_machine_that_is_paused(started: Started) -> None:
    vm = started.vm
    vm.start()
    vm.stop()
    assert vm.state is RunState.PAUSED
    vm.system_reset()
    started.await_event("RESET")
    assert vm.state is RunState.PRELAUNCH
    vm.cont()
    assert vm.state is RunState.RUNNING


def test_the_guest_switches_itself_off(started: Started) -> None:
    vm = started.vm
    vm.start(paused=True)
    with vm.exclusive():
        vm.board.on_power_off()
    assert vm.wait(DEADLINE_S)
    assert vm.state is RunState.SHUTDOWN
    assert started.events[-1].data == {"guest": True, "reason": "guest-shutdown"}


def test_the_power_button(started: Started) -> None:
    started.vm.start(paused=True)
    started.vm.powerdown()
    assert started.names() == ["POWERDOWN"]
    assert started.vm.board.pm is not None
    assert started.vm.board.pm.pm.status & 0x100


def test_a_device_that_fails_ends_the_machine(started: Started) -> None:
    vm = started.vm

    def fail() -> None:
        raise RuntimeError("a bug in a device")

    vm.start()
    with vm.exclusive():
        vm.board.clock.timer(fail).arm(0)
    with pytest.raises(RuntimeError, match="a bug in a device"):
        vm.wait(DEADLINE_S)
    assert vm.state is RunState.INTERNAL_ERROR


@pytest.mark.unicorn
def test_the_guest_goes_on_however_many_threads_come() -> None:
    """POST comes to its end while four threads take turns without a pause."""
    vm = VirtualMachine(MachineConfig(debugcon=True))
    over = threading.Event()

    def come() -> None:
        while not over.is_set():
            with vm.exclusive():
                vm.board.manage.memory_devices()

    threads = [threading.Thread(target=come) for _ in range(4)]
    vm.start()
    try:
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + DEADLINE_S
        while vm.phases.phase is not Phase.HALT:
            assert time.monotonic() < deadline
            over.wait(0.01)
    finally:
        over.set()
        for thread in threads:
            thread.join()
        vm.close()


def test_a_thread_that_gives_up_waiting_holds_up_nobody(started: Started) -> None:
    """Ctrl-C while the main thread waits for its turn."""
    vm = started.vm
    vm.start()
    ring = vm.loop.attend

    def interrupted() -> None:
        raise KeyboardInterrupt

    vm._gate.ring = interrupted
    given_up = 0
    for _ in range(50):
        try:
            with vm.exclusive():
                pass
        except KeyboardInterrupt:
            given_up += 1
    vm._gate.ring = ring
    with vm.exclusive():
        assert vm._gate.held
    vm.quit()
    assert vm.wait(DEADLINE_S)


def test_what_waits_for_the_cpu_is_refused_in_a_turn(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait for ever."""
    vm = started.vm
    waits: tuple[Callable[[], object], ...] = (vm.run, vm.start, vm.wait, vm.close)
    with monkeypatch.context() as patch:
        for name in ("lent", "start", "wait", "close"):
            patch.setattr(Runner, name, would_wait)
        with vm.exclusive():
            for wait in waits:
                with pytest.raises(StateError, match="waits for the CPU"):
                    wait()
    vm.start()
    refusals: list[str] = []

    def hear(event: MachineEvent) -> None:
        with monkeypatch.context() as patch:
            for name in ("wait", "close"):
                patch.setattr(Runner, name, would_wait)
            for wait in (vm.wait, vm.close):
                try:
                    wait()
                except (StateError, AssertionError) as error:
                    refusals.append(f"{event.name}: {error}")

    vm.events.subscribe(hear)
    vm.system_reset()
    started.await_event("RESET")
    vm.quit()
    vm.events.unsubscribe(hear)
    assert vm.wait(DEADLINE_S)
    assert [text.partition(":")[0] for text in refusals] == ["RESET"] * 2 + ["SHUTDOWN"] * 2
    assert all("waits for the CPU" in text for text in refusals)


def would_wait(*_: object) -> NoReturn:
    """Stand for what waits, so that a test that should be refused ends."""
    raise AssertionError("it was let through")


def test_only_one_of_many_starts_it(started: Started) -> None:
    vm = started.vm
    barrier, outcomes = threading.Barrier(8), []

    def start() -> None:
        barrier.wait()
        try:
            vm.start(paused=True)
            outcomes.append("started")
        except StateError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == sorted(["started"] + ["the machine was started before"] * 7)


def test_a_machine_that_is_closed_stays_so(started: Started) -> None:
    vm = started.vm
    vm.close()
    vm.close()
    for run in (vm.start, vm.run):
        with pytest.raises(StateError, match="closed"):
            run()
    assert vm.thread_id is None


def test_a_machine_that_was_told_to_quit_does_not_go_on(started: Started) -> None:
    vm = started.vm
    vm.start()
    vm.quit()
    vm.quit("again")
    assert vm.wait(DEADLINE_S)
    assert vm.state is RunState.SHUTDOWN
    vm.stop()
    vm.system_reset()
    with pytest.raises(StateError, match="Resetting"):
        vm.cont()
    with vm.exclusive(), pytest.raises(StateError, match="in state shutdown: there is nothing"):
        vm.stand()  # nor is it reset any more
    assert started.names() == ["RESUME", "SHUTDOWN"]


def test_a_machine_that_was_paused_and_told_to_quit_does_not_go_on(started: Started) -> None:
    vm = started.vm
    vm.start(paused=True)
    vm.quit()
    with pytest.raises(StateError, match="Resetting"):
        vm.cont()


def test_quit_ends_a_run(started: Started) -> None:
    vm = started.vm
    runner = threading.Thread(target=vm.run)
    runner.start()
    started.await_event("RESUME")
    with pytest.raises(StateError, match="stop"):
        vm.close()
    vm.quit()
    runner.join(DEADLINE_S)
    assert not runner.is_alive()


def test_a_subscriber_that_raises_leaves_nobody_asleep(started: Started) -> None:
    vm = started.vm
    vm.start(paused=True)

    def fail(_event: MachineEvent) -> None:
        raise RuntimeError("a bug in a subscriber")

    vm.events.subscribe(fail)
    with pytest.raises(RuntimeError):
        vm.cont()
    with pytest.raises(RuntimeError):
        vm.quit()
    assert vm.wait(DEADLINE_S)


# What QEMU 7.2 says of the same: query-status, and the events.


def test_a_machine_that_does_not_run_cannot_be_paused(started: Started) -> None:
    vm = started.vm
    vm.start()
    with vm.exclusive():
        vm.board.on_suspend()
    for act in (vm.stop, vm.cont, vm.stop):
        act()
        assert vm.state is RunState.SUSPENDED
    assert started.names() == ["RESUME", "SUSPEND"]


def test_a_reset_of_a_machine_that_sleeps(started: Started) -> None:
    vm = started.vm
    vm.start()
    with vm.exclusive():
        vm.board.on_suspend()
    vm.system_reset()
    started.await_event("RESET")
    assert vm.state is RunState.PRELAUNCH
    vm.cont()
    assert vm.state is RunState.RUNNING
    assert started.names() == ["RESUME", "SUSPEND", "RESET", "RESUME"]


@pytest.mark.parametrize("interrupt", INTERRUPTS)
@pytest.mark.parametrize("timeout_s", [None, 600.0])
def test_ctrl_c_ends_the_wait_for_a_machine(interrupt, timeout_s: float | None) -> None:
    runner, ends = Runner(), threading.Event()
    runner.start(lambda: ends.wait() and None)
    timer = threading.Timer(0.05, interrupt)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            runner.wait(timeout_s)
        assert not runner.wait(0.01), "it goes on"
    finally:
        timer.join()
        runner.close(ends.set)
