"""Which time passes when: the PM timer, HPET, PIT and clock chip of a QEMU, and of ours.

One table says what a machine is told, and whether its time passes afterwards. The clock chip is
how the test knows that the host's time passes: QEMU's follows the host by default, and ours does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from guestmap.base import VmClock
from guestmap.machine import MachineConfig, MachineEvent, VirtualMachine
from tests.support.qemu import Qemu

pytestmark = pytest.mark.seabios
_QEMU = (pytest.mark.qemu, pytest.mark.qemu_7_2("a machine that sleeps and is paused"))

PM_BASE = 0x600
HPET_CONFIG, HPET_COUNTER = 0xFED0_0010, 0xFED0_00F0
DEADLINE_S = 60


class Machine(Protocol):
    """What can be done to both."""

    def inb(self, port: int) -> int: ...
    def inl(self, port: int) -> int: ...
    def outb(self, port: int, value: int) -> None: ...
    def outw(self, port: int, value: int) -> None: ...
    def outl(self, port: int, value: int) -> None: ...
    def load(self, address: int, size: int) -> int: ...
    def store(self, address: int, size: int, value: int) -> None: ...
    def qmp(self, command: str) -> object: ...
    def wait_event(self, name: str) -> object: ...


class Ours:
    """Our machine, on a host whose time a test moves."""

    def __init__(self) -> None:
        self.host_ns = 0
        self.vm = VirtualMachine(
            MachineConfig(), engine="none", clock=VmClock(lambda: self.host_ns)
        )
        self._told = {name: threading.Semaphore(0) for name in ("RESET", "SUSPEND")}
        self.vm.events.subscribe(self._hear)
        self.vm.start(paused=True)

    def _hear(self, event: MachineEvent) -> None:
        if event.name in self._told:
            self._told[event.name].release()

    def _in(self, port: int, size: int) -> int:
        with self.vm.exclusive():
            return self.vm.board.io.load(port, size)

    def _out(self, port: int, size: int, value: int) -> None:
        with self.vm.exclusive():
            self.vm.board.io.store(port, size, value)

    def inb(self, port: int) -> int:
        return self._in(port, 1)

    def inl(self, port: int) -> int:
        return self._in(port, 4)

    def outb(self, port: int, value: int) -> None:
        self._out(port, 1, value)

    def outw(self, port: int, value: int) -> None:
        self._out(port, 2, value)

    def outl(self, port: int, value: int) -> None:
        self._out(port, 4, value)

    def load(self, address: int, size: int) -> int:
        with self.vm.exclusive():
            return self.vm.board.memory.load(address, size)

    def store(self, address: int, size: int, value: int) -> None:
        with self.vm.exclusive():
            self.vm.board.memory.store(address, size, value)

    def qmp(self, command: str) -> None:
        vm = self.vm
        {"cont": vm.cont, "stop": vm.stop, "system_reset": vm.system_reset}[command]()

    def wait_event(self, name: str) -> None:
        assert self._told[name].acquire(timeout=DEADLINE_S)


@pytest.fixture(params=["ours", pytest.param("qemu", marks=_QEMU)])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """A machine that was made and not started; its CPU halts at the reset vector."""
    if request.param == "ours":
        ours = Ours()
        yield ours
        ours.vm.close()
        return
    image = bytearray(0x10000)
    image[0xFFF0:0xFFF4] = b"\xfa\xf4\xeb\xfd"  # cli; hlt; jmp back
    path = tmp_path / "halt.bin"
    path.write_bytes(image)
    with Qemu("-bios", str(path)) as qemu:
        yield qemu


class Reading(NamedTuple):
    """What a machine's counters say."""

    pm_timer: int
    hpet: int
    pit: int


def _prepare(machine: Machine) -> None:
    """Let all of them count, and the PM registers be where the DSDT has them."""
    for register, value in ((0x40, PM_BASE | 1), (0x80, 1)):
        machine.outl(0xCF8, 0x8000_0B00 | register)
        machine.outl(0xCFC, value)
    machine.store(HPET_CONFIG, 4, 1)
    for port, value in ((0x43, 0x34), (0x40, 0), (0x40, 0)):
        machine.outb(port, value)


def _read(machine: Machine) -> Reading:
    machine.outb(0x43, 0)  # latch counter 0
    pit = machine.inb(0x40) | machine.inb(0x40) << 8
    return Reading(machine.inl(PM_BASE + 8), machine.load(HPET_COUNTER, 8), pit)


def _second(machine: Machine) -> int:
    machine.outb(0x70, 0)
    return machine.inb(0x71)


def _let_a_second_pass(machine: Machine) -> None:
    """Wait until the clock chip shows another second."""
    before = _second(machine)
    while _second(machine) == before:
        if isinstance(machine, Ours):
            machine.host_ns += 10_000_000
            assert machine.host_ns < 60 * len(STEPS) * 1_000_000_000, "the clock chip stands"
        else:
            time.sleep(0.02)


def _reset(machine: Machine) -> None:
    machine.qmp("system_reset")
    machine.wait_event("RESET")
    _prepare(machine)


def _cont(machine: Machine) -> None:
    machine.qmp("cont")


def _stop(machine: Machine) -> None:
    machine.qmp("stop")


def _sleep(machine: Machine) -> None:
    machine.outw(PM_BASE + 4, 0x2400)
    machine.wait_event("SUSPEND")


PASSES, STANDS = True, False
STEPS: tuple[tuple[Callable[[Machine], None], bool], ...] = (
    (_prepare, STANDS),  # a machine that was never started
    (_cont, PASSES),
    (_stop, STANDS),
    (_reset, STANDS),
    (_cont, PASSES),
    (_reset, PASSES),
    (_sleep, PASSES),  # S3 is the guest's: nobody has paused the machine
    (_stop, PASSES),
    (_cont, PASSES),
    (_reset, PASSES),  # does not run until told to, yet nobody has stopped its time
    (_stop, PASSES),
    (_cont, PASSES),
    (_stop, STANDS),
)


def test_time_passes_while_nobody_has_paused_the_machine(machine: Machine) -> None:
    for number, (act, passes) in enumerate(STEPS):
        act(machine)
        before = _read(machine)
        _let_a_second_pass(machine)
        after = _read(machine)
        if passes:
            assert after.pm_timer != before.pm_timer, number
            assert after.hpet > before.hpet, number
        else:
            assert after == before, number


def test_time_begins_with_the_first_cont(machine: Machine) -> None:
    """Not with the process: what a counter shows at first is the same each time."""
    _prepare(machine)
    _let_a_second_pass(machine)
    assert _read(machine) == (0, 0, 0)


def test_the_local_apics_count_stands_in_a_pause() -> None:
    """QEMU shows it to its CPU only."""
    machine = Ours()
    timer = machine.vm.board.apics.apics[0].timer
    timer.set_divide(0b1011)  # by 1
    timer.start(1_000_000)
    for act, passes in ((_cont, 1), (_stop, 0), (_cont, 1)):
        act(machine)
        before = timer.current_count()
        machine.host_ns += 1_000
        assert before - timer.current_count() == passes * 1_000
    machine.vm.close()
