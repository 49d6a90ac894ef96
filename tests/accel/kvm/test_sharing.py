"""Several CPUs: while the guest of one executes, others may be at the machine, and never else."""

from __future__ import annotations

import threading

import pytest

from guestmap.accel import ExitReason
from guestmap.accel.kvm.abi import ExitCode
from guestmap.accel.kvm.accelerator import KvmAccelerator
from guestmap.accel.turn import SharedTurn
from guestmap.base import ConfigError, UnsupportedError
from tests.accel.kvm.fake_vcpu import CpuKernel, Eintr, Mmio, Other, Ports
from tests.accel.kvm.test_vcpu import HLT, Line, Rig

WAIT_S = 6


@pytest.fixture
def rig():
    made = Rig()
    made.turn = made.vcpu.turn = SharedTurn()
    yield made
    made.accelerator.close()
    assert not made.kernel.open_fds


def is_free(turn: SharedTurn) -> bool:
    """Ask from another thread, which does not wait."""
    found = []

    def look() -> None:
        if free := turn._lock.acquire(blocking=False):
            turn._lock.release()
        found.append(free)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return found[0]


def test_the_turn_goes_round_at_each_exit(rig):
    seen = []
    rig.on_write = lambda: seen.append(("device", is_free(rig.turn)))
    shown = rig.kernel._show
    rig.kernel._show = lambda: seen.append(("guest", is_free(rig.turn))) or shown()
    with rig.turn:
        rig.run(Mmio(0xE0000000, 1, b"\1"), Ports(0x80, 1, 1, b"\2"), HLT)
        seen.append(("after", is_free(rig.turn)))
    guest, device = ("guest", True), ("device", False)
    assert seen == [guest, device, guest, device, guest, ("after", False)]
    assert is_free(rig.turn)


@pytest.mark.parametrize("end", [Eintr(), OSError(5, "I/O error"), Other(ExitCode.SHUTDOWN)])
def test_a_run_ends_with_the_turn(rig, end):
    with rig.turn:
        rig.run(end)
        assert not is_free(rig.turn)


def test_a_cpu_that_comes_out_for_a_new_map_does_not_wait_for_its_turn_first(rig):
    """Whoever changes the map has the turn, and waits for all CPUs to be out."""
    rig.kernel.inside, rig.kernel.leave_when_kicked = threading.Event(), True
    rig.kernel.script = [Eintr()]
    ends = []

    def run() -> None:
        with rig.turn:
            rig.vcpu.prepare()
            ends.append(rig.vcpu.run().reason)

    ram = rig.system.ram("ram", 0x4000)
    rig.root.add_subregion(0, ram)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert rig.kernel.inside.wait(WAIT_S)
    changed = threading.Event()

    def change() -> None:
        with rig.turn:
            rig.root.del_subregion(ram)
            rig.root.add_subregion(0x10000, ram)
            with rig.accelerator._vm.inhibitor.alone():
                changed.set()

    other = threading.Thread(target=change, daemon=True)
    other.start()
    assert changed.wait(WAIT_S)
    thread.join(WAIT_S)
    other.join(WAIT_S)
    assert ends == [ExitReason.KICKED]


def test_how_many_cpus_there_can_be():
    for lacks, most in (({"MAX_VCPUS": 2}, 2), ({"MAX_VCPUS": 0, "NR_VCPUS": 3}, 3)):
        made = Rig(**lacks)
        kernel = CpuKernel(**lacks)
        with pytest.raises(UnsupportedError, match=f"at most {most} CPUs, not {most + 1}$"):
            KvmAccelerator(made.memory, made.io, [Line()] * (most + 1), kernel=kernel)
        assert not kernel.open_fds
        with pytest.raises(ConfigError, match="without a CPU"):
            KvmAccelerator(made.memory, made.io, [], kernel=kernel)
        made.accelerator.close()
    made = Rig(MAX_VCPUS=0, NR_VCPUS=0)
    assert made.accelerator._vm.features.vcpus == 4, "as the document has it"
    made.accelerator.close()
