"""Watching a CPU: each access with its instruction, stops between instructions, single steps."""

from __future__ import annotations

import pytest

from guestmap.accel import ExitReason, Register
from guestmap.accel.debug import GuestAccess, WatchKind, Watchpoint
from guestmap.base import StateError, UnsupportedError
from tests.accel.conftest import KVM
from tests.accel.guest import CODE, DEVICE, FLAT_CODE, ROM_BASE, Guest

HOLE = 0x40000000
DATA = 0x4000
READ, WRITE, EXECUTE = WatchKind
ALL = frozenset(WatchKind)


def le32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def load(address: int) -> bytes:
    return b"\xa1" + le32(address)  # mov eax, [address]


def store(address: int) -> bytes:
    return b"\xa3" + le32(address)


INC, HLT = b"\x40", b"\xf4"


@pytest.fixture(params=["unicorn", "unicorn-documented"])
def guest(request):
    with Guest(request.param) as machine:
        yield machine


@pytest.fixture(params=["unicorn", "unicorn-documented", KVM])
def stepper(request):
    """A guest whose instructions can be watched."""
    with Guest(request.param) as machine:
        yield machine


class Ear(list):
    """Hears, and stops at each."""

    def __init__(self, *, stops: bool = False) -> None:
        super().__init__()
        self.stops = stops

    def __call__(self, access: GuestAccess) -> bool:
        self.append(access)
        return self.stops

    def watch(self, guest: Guest, first: int, last: int, kinds=ALL) -> None:
        guest.vcpu.probe.watch([Watchpoint(first, last, frozenset(kinds), self, self.stops)])


PROGRAMS = {
    "memory read": (load(DATA), READ, DATA, 0x12345678, "ram", DATA),
    "memory write": (store(DATA), WRITE, DATA, 0x2, "ram", DATA),
    "device read": (load(DEVICE + 8), READ, DEVICE + 8, 0x44332219, "device", 8),
    "device write": (store(DEVICE + 8), WRITE, DEVICE + 8, 0x2, "device", 8),
    "ROM write": (store(ROM_BASE + 4), WRITE, ROM_BASE + 4, 0x2, "rom", 4),
    "write to nobody": (store(HOLE), WRITE, HOLE, 0x2, "", 0),
    "read of nobody": (load(HOLE), READ, HOLE, 0, "", 0),
}


@pytest.mark.parametrize("what", PROGRAMS)
def test_an_access_is_told_with_its_instruction_value_and_region(guest, what):
    code, kind, address, value, region, offset = PROGRAMS[what]
    ear = Ear()
    ear.watch(guest, address, address + 3, {READ, WRITE})
    guest.memory.store(DATA, 4, 0x12345678)
    guest.flat(INC + INC + code + INC + HLT, eax=0)
    assert guest.run().reason is ExitReason.HALTED
    assert ear == [
        GuestAccess(kind, address, 4, value, region, offset, FLAT_CODE.selector, CODE + 2)
    ]


def test_what_is_not_asked_for_is_not_told(guest):
    ear = Ear()
    ear.watch(guest, DATA, DATA + 3, {WRITE})
    guest.flat(load(DATA) + store(DATA - 4) + store(DATA + 4) + HLT)
    guest.run()
    assert ear == []


def test_an_access_that_begins_before_the_range_is_told(guest):
    ear = Ear()
    ear.watch(guest, DATA, DATA, {WRITE})
    guest.flat(store(DATA - 3) + HLT, eax=7)
    guest.run()
    assert [(each.address, each.size) for each in ear] == [(DATA - 3, 4)]


def test_an_instruction_is_told_before_it_is_executed(stepper):
    seen = []

    def hear(access: GuestAccess) -> bool:
        seen.append((access.kind, access.address, access.ip, stepper.register("eax")))
        return False

    stepper.vcpu.probe.watch([Watchpoint(CODE + 1, CODE + 2, frozenset({EXECUTE}), hear, False)])
    stepper.flat(INC * 4 + HLT, eax=0)
    stepper.run()
    assert [each[:3] for each in seen] == [
        (EXECUTE, CODE + 1, CODE + 1), (EXECUTE, CODE + 2, CODE + 2),
    ]  # fmt: skip


@pytest.mark.parametrize("what", PROGRAMS)
def test_a_stop_is_right_behind_the_access_which_is_done_once(guest, what):
    code, _kind, address, _value, _region, _offset = PROGRAMS[what]
    ear = Ear(stops=True)
    ear.watch(guest, address, address + 3, {READ, WRITE})
    guest.flat(INC + code + INC * 3 + HLT, eax=0)
    assert guest.run().reason is ExitReason.DEBUG
    assert guest.register("eip") == CODE + 1 + len(code)
    assert len(guest.device_log) == (1 if "device" in what else 0)
    before = guest.register("eax")
    assert guest.run().reason is ExitReason.HALTED
    assert guest.register("eax") == before + 3
    assert len(ear) == 1
    assert len(guest.device_log) == (1 if "device" in what else 0)


def test_a_stop_at_an_instruction_is_before_it(stepper):
    ear = Ear(stops=True)
    ear.watch(stepper, CODE + 2, CODE + 2, {EXECUTE})
    stepper.flat(INC * 4 + HLT, eax=0)
    assert stepper.run().reason is ExitReason.DEBUG
    assert (stepper.register("eip"), stepper.register("eax")) == (CODE + 2, 2)
    stepper.vcpu.probe.watch([])
    assert stepper.run().reason is ExitReason.HALTED
    assert stepper.register("eax") == 4


def test_steps_go_from_instruction_to_instruction(stepper):
    stepper.flat(INC + load(DATA) + b"\xeb\x01" + HLT + INC + HLT, eax=0)
    at = []
    for _ in range(4):
        stepper.vcpu.probe.watch([], stepping=True)
        assert stepper.run().reason is ExitReason.DEBUG
        at.append(stepper.register("eip") - CODE)
    assert at == [1, 6, 9, 10]


def test_a_step_over_a_repeated_instruction_is_one_round(stepper):
    stepper.flat(b"\xf3\xaa" + HLT, ecx=3, edi=DATA)
    stepper.vcpu.probe.watch([], stepping=True)
    stepper.run()
    assert (stepper.register("eip"), stepper.register("ecx")) == (CODE, 2)


def test_nothing_is_told_any_more_once_the_watch_is_over(guest):
    ear = Ear(stops=True)
    ear.watch(guest, 0, 0xFFFFFFFF)
    guest.vcpu.probe.watch([])
    guest.flat(load(DATA) + load(DEVICE) + HLT)
    assert guest.run().reason is ExitReason.HALTED
    assert ear == []


def test_what_a_listener_raises_ends_the_run(guest):
    def hear(_access: GuestAccess) -> bool:
        raise ZeroDivisionError

    guest.vcpu.probe.watch([Watchpoint(DATA, DATA, ALL, hear)])
    guest.flat(load(DATA) + HLT)
    with pytest.raises(ZeroDivisionError):
        guest.run()


def test_a_cpu_in_the_guest_is_not_told_what_to_watch(stepper):
    seen = []

    def on_port(_value: int) -> None:
        with pytest.raises(StateError):
            stepper.vcpu.probe.watch([])
        seen.append(True)

    stepper.on_port[0x80] = on_port
    stepper.flat(b"\xe6\x80" + HLT)
    stepper.run()
    assert seen == [True]


def test_an_engine_without_says_so():
    with Guest("none") as guest, pytest.raises(UnsupportedError, match="none"):
        guest.vcpu.probe.watch([])


def test_addresses_of_memory_are_physical_where_pages_are_mapped(guest):
    directory, table, linear = 0x6000, 0x7000, 0x10000
    guest.memory.store(directory, 4, table | 3)
    for page in range(16):
        guest.memory.store(table + 4 * page, 4, page << 12 | 3)
    guest.memory.store(table + 4 * (linear >> 12), 4, DATA | 3)
    ear = Ear()
    ear.watch(guest, DATA, DATA + 3, {READ, WRITE})
    guest.flat(store(linear) + load(linear) + HLT, eax=5)
    guest.vcpu.write_register(Register.CR3, directory)
    guest.vcpu.write_register(Register.CR0, 0x8000_0011)
    guest.run()
    assert [(each.kind, each.address, each.value) for each in ear] == [
        (WRITE, DATA, 5), (READ, DATA, 5),
    ]  # fmt: skip
