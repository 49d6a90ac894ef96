"""Watching a CPU: each access with its instruction, stops between instructions, single steps."""

from __future__ import annotations

import platform

import pytest

from guestmap.accel import ExitReason, Register
from guestmap.accel.debug import GuestAccess, WatchKind, Watchpoint
from guestmap.base import StateError, UnsupportedError
from tests.accel.conftest import KVM
from tests.accel.guest import CODE, DEVICE, FLAT_CODE, ROM_BASE, STACK, Guest
from tests.accel.heard import Heard

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
    """A guest of which every access can be watched."""
    with Guest(request.param) as machine:
        yield machine


@pytest.fixture(params=["unicorn", "unicorn-documented", KVM])
def stepper(request):
    """A guest whose instructions can be watched, and its accesses, but not reads of memory."""
    with Guest(request.param) as machine:
        yield machine


class Ear(Heard):
    """Hears what a guest does."""

    def watch(self, guest: Guest, first: int, last: int, kinds=ALL) -> None:
        guest.vcpu.probe.watch([self.at(first, last, *kinds)])


PROGRAMS = {
    "memory read": (load(DATA), READ, DATA, 0x12345678, "ram", DATA),
    "memory write": (store(DATA), WRITE, DATA, 0x2, "ram", DATA),
    "device read": (load(DEVICE + 8), READ, DEVICE + 8, 0x44332219, "device", 8),
    "device write": (store(DEVICE + 8), WRITE, DEVICE + 8, 0x2, "device", 8),
    "ROM write": (store(ROM_BASE + 4), WRITE, ROM_BASE + 4, 0x2, "rom", 4),
    "write to nobody": (store(HOLE), WRITE, HOLE, 0x2, "", 0),
    "read of nobody": (load(HOLE), READ, HOLE, 0, "", 0),
}


def told_on(guest: Guest, what: str) -> set[WatchKind]:
    """Return what is watched there: KVM refuses to watch reads of memory."""
    address = PROGRAMS[what][2]
    if guest.accelerator.name != "kvm" or address in {DEVICE + 8, HOLE}:
        return {READ, WRITE}
    if what == "memory read":
        with pytest.raises(UnsupportedError, match=r"not of memory, which 0x0-0x1fffff of ram is"):
            Ear().watch(guest, address, address, {READ})
        pytest.skip("it is refused")
    return {WRITE}


@pytest.mark.parametrize("what", PROGRAMS)
def test_an_access_is_told_with_its_instruction_value_and_region(stepper, what):
    code, kind, address, value, region, offset = PROGRAMS[what]
    ear = Ear()
    ear.watch(stepper, address, address + 3, told_on(stepper, what))
    stepper.memory.store(DATA, 4, 0x12345678)
    stepper.flat(INC + INC + code + INC + HLT, eax=0)
    assert stepper.run().reason is ExitReason.HALTED
    exact = kind is READ or stepper.accelerator.name != "kvm"
    ip = CODE + 2 if exact else CODE + 2 + len(code)  # what KVM tells of a write
    assert ear == [
        GuestAccess(kind, address, 4, value, region, offset, FLAT_CODE.selector, ip, exact)
    ]
    if what == "memory write":
        assert stepper.memory.load(DATA, 4) == value


def test_what_is_not_asked_for_is_not_told(stepper):
    ear = Ear()
    ear.watch(stepper, DATA + 4, DATA + 7, {WRITE})
    stepper.flat(load(DATA + 4) + store(DATA) + store(DATA + 8) + HLT)
    assert stepper.run().reason is ExitReason.HALTED
    assert ear == []


def test_an_access_that_begins_before_the_range_is_told(stepper):
    ear = Ear()
    ear.watch(stepper, DATA + 8, DATA + 8, {WRITE})
    stepper.flat(store(DATA + 5) + HLT, eax=7)
    stepper.run()
    assert [(each.address, each.size) for each in ear] == [(DATA + 5, 4)]


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
def test_a_stop_is_right_behind_the_access_which_is_done_once(stepper, what):
    code, _kind, address, _value, _region, _offset = PROGRAMS[what]
    ear = Ear(stops=True)
    ear.watch(stepper, address, address + 3, told_on(stepper, what))
    stepper.flat(INC + code + INC * 3 + HLT, eax=0)
    assert stepper.run().reason is ExitReason.DEBUG
    assert stepper.register("eip") == CODE + 1 + len(code)
    assert len(stepper.device_log) == (1 if "device" in what else 0)
    before = stepper.register("eax")
    assert stepper.run().reason is ExitReason.HALTED
    assert stepper.register("eax") == before + 3
    assert len(ear) == 1
    assert len(stepper.device_log) == (1 if "device" in what else 0)


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


def test_nothing_is_told_any_more_once_the_watch_is_over(stepper):
    ear = Ear(stops=True)
    ear.watch(stepper, 0, 0xFFFFFFFF, {WRITE, EXECUTE})
    stepper.vcpu.probe.watch([])
    stepper.flat(store(DATA) + load(DEVICE) + HLT)
    assert stepper.run().reason is ExitReason.HALTED
    assert ear == []


def test_what_a_listener_raises_ends_the_run(stepper):
    def hear(_access: GuestAccess) -> bool:
        raise ZeroDivisionError

    stepper.vcpu.probe.watch([Watchpoint(DATA, DATA, frozenset({WRITE}), hear)])
    stepper.flat(store(DATA) + HLT)
    with pytest.raises(ZeroDivisionError):
        stepper.run()


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


def test_addresses_of_memory_are_physical_where_pages_are_mapped(stepper):
    guest, kinds = stepper, told_on(stepper, "memory write")
    directory, table, linear = 0x6000, 0x7000, 0x10000
    guest.memory.store(directory, 4, table | 3)
    for page in range(16):
        guest.memory.store(table + 4 * page, 4, page << 12 | 3)
    guest.memory.store(table + 4 * (linear >> 12), 4, DATA | 3)
    ear = Ear()
    ear.watch(guest, DATA, DATA + 3, kinds)
    guest.flat(store(linear) + load(linear) + HLT, eax=5)
    guest.vcpu.write_register(Register.CR3, directory)
    guest.vcpu.write_register(Register.CR0, 0x8000_0011)
    guest.run()
    assert [(each.kind, each.address, each.value) for each in ear] == [
        each for each in ((WRITE, DATA, 5), (READ, DATA, 5)) if each[0] in kinds
    ]


def test_code_reads_and_runs_in_a_page_whose_writes_are_watched(stepper):
    """A program that changes itself, its stack and its data in one page."""
    ear = Ear()
    ear.watch(stepper, CODE + 0x100, CODE + 0x10F, {WRITE})
    push = b"\x68" + le32(0xABCD)  # push 0xabcd
    stepper.flat(store(CODE + 0x100) + push + load(CODE + 0x104) + HLT, eax=9, esp=CODE + 0x108)
    assert stepper.run().reason is ExitReason.HALTED
    assert [(each.address, each.value) for each in ear] == [
        (CODE + 0x100, 9),
        (CODE + 0x104, 0xABCD),
    ]
    assert stepper.register("eax") == 0xABCD


def test_a_repeated_store_is_told_round_by_round(stepper):
    ear = Ear()
    ear.watch(stepper, DATA + 2, DATA + 4, {WRITE})
    stepper.flat(b"\xf3\xaa" + HLT, eax=7, ecx=6, edi=DATA)
    assert stepper.run().reason is ExitReason.HALTED
    assert [(each.address, each.size) for each in ear] == [(DATA + n, 1) for n in (2, 3, 4)]
    assert stepper.memory.read(DATA, 7) == b"\x07" * 6 + b"\0"


def test_an_interrupt_of_the_programs_writes_its_frame_where_writes_are_watched(stepper):
    if stepper.accelerator.name == "kvm" and not platform.release().startswith("6.1."):
        pytest.skip("Linux 6.1 writes such a frame by itself, newer ones have the processor try")
    ear = Ear()
    ear.watch(stepper, STACK - 2, STACK - 1, {WRITE})
    stepper.vector(0x21, CODE + 0x80)
    stepper.memory.write(CODE + 0x80, b"\x40\xcf")  # inc ax; iret
    stepper.real(b"\xcd\x21" + HLT, eax=1)
    assert stepper.run().reason is ExitReason.HALTED
    assert stepper.register("eax") == 2


def test_a_devices_interrupt_comes_through_while_writes_are_watched(stepper):
    """Its frame lies elsewhere: KVM's guests stand still where the processor itself would write."""
    ear = Ear()
    ear.watch(stepper, DATA, DATA + 3, {WRITE})
    stepper.vector(0x21, CODE + 0x80)
    stepper.memory.write(CODE + 0x80, b"\xa3\x00\x40\xcf")  # mov [DATA], ax; iret
    stepper.line.vectors.append(0x21)
    stepper.real(b"\xfb" + b"\xe6\x80" * 2 + b"\xfa" + HLT, eax=7)  # sti, exits, cli
    assert stepper.run().reason is ExitReason.HALTED
    assert [(each.address, each.value) for each in ear] == [(DATA, 7)]
