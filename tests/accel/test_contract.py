"""What every engine does, with a CPU or without."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading

import pytest

from guestmap.accel import (
    ACCELERATORS,
    EngineStatistics,
    ExitReason,
    NoInterrupts,
    Register,
    Segment,
    SegmentRegister,
    open_accelerator,
)
from guestmap.base import ConfigError, HostError, StateError, UnsupportedError
from tests.accel.guest import Guest, later

SPIN = b"\xeb\xfe"  # jmp $


def start(machine: Guest) -> None:
    if machine.accelerator.capabilities.runs_code:
        machine.real(SPIN)


def test_importing_the_package_imports_no_engine():
    script = "import sys, guestmap.accel; sys.exit('unicorn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_an_engine_that_does_not_exist_is_refused(machine):
    with pytest.raises(ConfigError, match=r"no engine 'bochs': choose one of unicorn, kvm, none"):
        open_accelerator("bochs", machine.memory, machine.io, [NoInterrupts()])


def test_a_missing_library_is_named(machine, monkeypatch):
    monkeypatch.setitem(ACCELERATORS, "whpx", ("guestmap_no_such_module", "Engine"))
    with pytest.raises(UnsupportedError, match=r"pip install 'guestmap\[whpx\]'"):
        open_accelerator("whpx", machine.memory, machine.io, [NoInterrupts()])


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        ("import no_such_library", UnsupportedError, "not installed .*no_such_library"),
        ("raise ImportError('libfoo.so: wrong ELF class')", HostError, "cannot be loaded: libfoo"),
        ("from json import no_such_name", HostError, "cannot be loaded: .*no_such_name"),
        ("import guestmap.no_such_module", ModuleNotFoundError, "guestmap.no_such_module"),
        ("from guestmap.base import no_such_name", ImportError, "no_such_name"),
        ("1 / 0", ZeroDivisionError, "division"),
    ],
)
def test_a_library_that_is_not_there_is_told_from_other_mistakes(
    machine, monkeypatch, tmp_path, code, kind, text
):
    (tmp_path / "engine_of_a_test.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "engine_of_a_test", raising=False)
    monkeypatch.setitem(ACCELERATORS, "whpx", ("engine_of_a_test", "Engine"))
    with pytest.raises(kind, match=text) as caught:
        open_accelerator("whpx", machine.memory, machine.io, [NoInterrupts()])
    assert type(caught.value) is kind


def test_stop_from_another_thread_ends_the_run(machine):
    start(machine)
    later(machine.loop.stop)
    assert machine.run().reason is ExitReason.STOPPED


def test_a_stop_before_the_run_ends_it_at_once(machine):
    start(machine)
    machine.loop.stop()
    assert machine.run().reason is ExitReason.STOPPED


def test_a_run_can_be_continued(machine):
    start(machine)
    for _ in range(3):
        later(machine.loop.stop, 0.002)
        assert machine.run().reason is ExitReason.STOPPED


def test_a_requested_reset_ends_the_run(machine):
    start(machine)
    later(machine.loop.request_reset)
    assert machine.run().reason is ExitReason.RESET


def test_timers_fire_while_it_runs(machine):
    start(machine)
    fired = []

    def due() -> None:
        fired.append(threading.get_ident())
        machine.loop.stop()

    machine.clock.timer(due).arm(machine.clock.now_ns() + 2_000_000)
    assert machine.run().reason is ExitReason.STOPPED
    assert len(fired) == 1


def test_a_timer_that_another_thread_arms_fires(machine):
    start(machine)
    timer = machine.clock.timer(machine.loop.stop)
    machine.clock.timer(lambda: None).arm(machine.clock.now_ns() + 10**12)
    later(lambda: timer.arm(machine.clock.now_ns() + 1_000_000))
    assert machine.run().reason is ExitReason.STOPPED


def test_running_twice_at_a_time_is_refused(machine):
    start(machine)
    refused = []
    running = threading.Event()
    machine.clock.timer(running.set).arm(machine.clock.now_ns())

    def second() -> None:
        assert running.wait(30)
        with pytest.raises(StateError, match=r"runs already|runs: stop it first") as error:
            machine.run()
        refused.append(error)
        machine.loop.stop()

    later(second)
    machine.run()
    assert len(refused) == 1


def test_an_error_in_a_timer_reaches_the_caller_of_run(machine):
    start(machine)

    def broken() -> None:
        raise ZeroDivisionError

    machine.clock.timer(broken).arm(machine.clock.now_ns() + 1_000_000)
    with pytest.raises(ZeroDivisionError):
        machine.run()
    machine.loop.stop()
    assert machine.run().reason is ExitReason.STOPPED


def test_closing_twice_is_allowed(machine):
    machine.accelerator.close()
    machine.accelerator.close()


def test_without_a_cpu_there_are_no_registers():
    with Guest("none") as machine:
        vcpu = machine.vcpu
        for access in (
            lambda: vcpu.read_register(Register.EAX),
            lambda: vcpu.write_register(Register.EAX, 1),
            lambda: vcpu.read_segment(SegmentRegister.CS),
            lambda: vcpu.write_segment(SegmentRegister.CS, Segment(0, 0, 0)),
        ):
            with pytest.raises(UnsupportedError, match="choose engine 'unicorn'"):
                access()
        machine.loop.reset()
        machine.loop.interrupts_changed()
        vcpu.kick()
        vcpu.set_a20(False)
        assert machine.accelerator.statistics() == EngineStatistics()


def test_who_is_closed_listens_to_no_address_space(machine):
    for _ in range(2):
        machine.accelerator.close()
        assert not machine.memory.listeners
        assert not machine.io.listeners


def test_counts_begin_at_0():
    assert set(dataclasses.asdict(EngineStatistics()).values()) == {0}


def test_without_a_cpu_a_program_drives_the_address_spaces():
    with Guest("none") as machine:
        machine.io.store(0x80, 1, 0x5A)
        machine.memory.store(0x1000, 4, 0x12345678)
        assert machine.ports == [(0x80, 0x5A, 1)]
        assert machine.memory.load(0x1000, 4) == 0x12345678


def test_a_stop_is_not_lost_to_a_reset(machine):
    """Both asked for at once: the reset ends this run, the stop the next."""
    start(machine)

    def both() -> None:
        machine.loop.stop()
        machine.loop.request_reset()

    machine.clock.timer(both).arm(machine.clock.now_ns() + 1_000_000)
    assert machine.run().reason is ExitReason.RESET
    machine.loop.reset()
    assert machine.run().reason is ExitReason.STOPPED
