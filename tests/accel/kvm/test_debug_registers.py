"""What the kernel is asked for when a CPU is watched, and what its stops mean."""

from __future__ import annotations

from struct import pack_into, unpack_from

import pytest

from guestmap.accel import ExitReason
from guestmap.accel.debug import WatchKind, Watchpoint
from guestmap.accel.kvm import abi
from guestmap.accel.kvm.abi import ExitCode
from guestmap.base import UnsupportedError
from tests.accel.kvm.fake_vcpu import Eintr, Other
from tests.accel.kvm.test_vcpu import HLT, Rig

EXECUTE = frozenset({WatchKind.EXECUTE})
STEP = 1 << 14


class Stop(Other):
    """The guest was stopped."""

    def __init__(self, address: int, why: int) -> None:
        super().__init__(ExitCode.DEBUG)
        self.address, self.why = address, why

    def show(self, page: bytearray) -> None:
        super().show(page)
        pack_into("<QQ", page, 40, self.address, self.why)


@pytest.fixture
def rig():
    made = Rig()
    made.asked = []
    requests = made.kernel._requests
    made.kernel._requests = lambda: (
        requests()
        | {
            abi.SET_GUEST_DEBUG.code: lambda request: (
                made.asked.append(unpack_from("<I4x8Q", request)) or 0
            )
        }
    )
    yield made
    made.accelerator.close()


def point(first: int, last: int, *, stops: bool, heard: list[int]) -> Watchpoint:
    def hear(access) -> bool:
        heard.append(access.address)
        return stops

    return Watchpoint(first, last, EXECUTE, hear)


def test_the_code_is_the_kernels():
    """Worked out by hand from linux/kvm.h."""
    assert abi.SET_GUEST_DEBUG.code == 0x4048AE9B


def test_nothing_is_asked_for_while_nothing_is_watched(rig):
    rig.run(HLT)
    assert rig.asked == []


def test_a_step_is_asked_for_once_and_from_where_the_cpu_is(rig):
    rig.vcpu.probe.watch([], stepping=True)
    assert rig.asked == [], "registers may be set yet"
    assert rig.run(Eintr()).reason is ExitReason.KICKED
    end = rig.run(Stop(0x1002, STEP))
    assert (end.reason, end.message) == (ExitReason.DEBUG, "step to 0x1002")
    rig.run(HLT)
    assert [each[0] for each in rig.asked] == [3, 0]


def test_addresses_have_a_debug_register_each(rig):
    heard: list[int] = []
    points = [point(0x1000, 0x1002, stops=True, heard=heard),
              point(0x2000, 0x2000, stops=False, heard=heard)]  # fmt: skip
    rig.vcpu.probe.watch(points)
    end = rig.run(Stop(0x2000, 8), Stop(0x1001, 2))
    assert (end.reason, end.message) == (ExitReason.DEBUG, "instruction at 0x1001")
    assert heard == [0x2000, 0x1001]
    assert rig.asked[:1] == [(0x20001, 0x1000, 0x1001, 0x1002, 0x2000, 0, 0, 0, 0x4AA)]


@pytest.mark.parametrize("stops", [False, True])
def test_a_guest_goes_on_past_the_instruction(rig, stops):
    """By a step without the registers: not every host heeds the resume flag."""
    heard: list[int] = []
    rig.vcpu.probe.watch([point(0x1000, 0x1001, stops=stops, heard=heard)])
    if stops:
        assert rig.run(Stop(0x1000, 1)).message == "instruction at 0x1000"
        rig.run(Stop(0x1001, STEP), Stop(0x1001, 2))
    else:
        rig.run(Stop(0x1000, 1), Stop(0x1001, STEP), Stop(0x1001, 2), HLT)
    assert heard == [0x1000, 0x1001], "the next one is watched again before it is executed"
    assert [each[0] for each in rig.asked][:3] == [0x20001, 3, 0x20001]


def test_a_step_that_was_asked_for_is_not_a_stop_at_an_instruction(rig):
    heard: list[int] = []
    rig.vcpu.probe.watch([point(0x1000, 0x1000, stops=False, heard=heard)], stepping=True)
    end = rig.run(Stop(0x1000, 1), Stop(0x1001, STEP))
    assert (end.message, heard) == ("step to 0x1001", [0x1000])
    rig.run(HLT)
    assert [each[0] for each in rig.asked] == [0x20003, 3, 0x20001]


def test_more_addresses_are_walked_through(rig):
    """The step's exit is at the next instruction; the first one has none before it."""
    heard: list[int] = []
    reset = 0xFFFF0
    rig.kernel._state["regs"][128:136] = reset.to_bytes(8, "little")
    rig.vcpu.probe.watch([point(0xF0000, 0xFFFFF, stops=False, heard=heard)])
    end = rig.run(Stop(0xFE05B, STEP), Stop(0x1000, STEP), Stop(0xF0000, STEP), HLT)
    assert end.reason is ExitReason.HALTED
    assert heard == [reset, 0xFE05B, 0xF0000]
    assert [each[0] for each in rig.asked] == [3]
    assert {*rig.asked[0][1:5]} == {0}, "no debug register is used"


def test_a_walk_stops_before_the_instruction_and_goes_on_behind_it(rig):
    heard: list[int] = []
    rig.vcpu.probe.watch([point(0x1000, 0x1010, stops=True, heard=heard)])
    end = rig.run(Stop(0x900, STEP), Stop(0x1004, STEP))
    assert (end.reason, end.message) == (ExitReason.DEBUG, "instruction at 0x1004")
    assert rig.run(Stop(0x1005, STEP)).message == "instruction at 0x1005"
    assert heard == [0x1004, 0x1005]
    rig.vcpu.probe.watch([])
    rig.run(HLT)
    assert [each[0] for each in rig.asked] == [3, 0]


def test_a_walk_stops_where_it_begins(rig):
    rig.kernel._state["regs"][128:136] = (0x1008).to_bytes(8, "little")
    rig.vcpu.probe.watch([point(0x1000, 0x1010, stops=True, heard=[])])
    assert rig.run().message == "instruction at 0x1008"
    rig.kernel.script = [HLT]
    assert rig.vcpu.run().reason is ExitReason.HALTED, "it goes on from there"


def test_a_kernel_that_cannot():
    rig = Rig(SET_GUEST_DEBUG=0)
    with pytest.raises(UnsupportedError, match="no KVM_CAP_SET_GUEST_DEBUG"):
        _ = rig.vcpu.probe
    rig.accelerator.close()


def test_inside_qemus_own_processor_one_address_is_walked_to(request, monkeypatch):
    """A debug register that a guest uses there ends the host's kernel."""
    monkeypatch.setattr("guestmap.accel.kvm.caps._processor", lambda: "QEMU TCG CPU version 2.5+")
    rig = request.getfixturevalue("rig")
    heard: list[int] = []
    rig.vcpu.probe.watch([point(0x1000, 0x1000, stops=False, heard=heard)])
    rig.run(Stop(0xFE05B, STEP), Stop(0x1000, STEP), HLT)
    assert heard == [0x1000]
    assert [(each[0], *each[1:5]) for each in rig.asked] == [(3, 0, 0, 0, 0)]
