"""A machine's trace: accesses with who answers and which instruction, kept, and stops."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestmap.accel.debug import GuestAccess, WatchKind
from guestmap.base import ConfigError, UnsupportedError
from guestmap.machine import MachineConfig, RunState, TracedAccess, VirtualMachine
from guestmap.machine import trace as tracing
from guestmap.machine.trace import TraceRange

READ, WRITE, EXECUTE = WatchKind

# mov ax, 0c000h; mov ds, ax; mov cx, 5; again: mov [9], cl; loop again; mov al, [9]; cli; hlt
_PROGRAM = bytes.fromhex("b800c0 8ed8 b90500 880e0900 e2fa a00900 fa f4")
_AT = 0xFF00
_STORE, _LOAD = _AT + 8, _AT + 14


@pytest.fixture
def bios(tmp_path: Path) -> Path:
    """Return a firmware that writes five times to C0009h, and reads it."""
    image = bytearray(0x10000)
    image[_AT : _AT + len(_PROGRAM)] = _PROGRAM
    image[0xFFF0:0xFFF5] = b"\xea" + _AT.to_bytes(2, "little") + b"\x00\xf0"
    path = tmp_path / "bios.bin"
    path.write_bytes(image)
    return path


def test_each_access_is_told_to_the_observer(bios):
    heard: list[TracedAccess] = []

    def observe(event: object) -> None:
        if isinstance(event, TracedAccess):
            heard.append(event)

    with VirtualMachine(MachineConfig(bios=bios), observer=observe) as vm:
        vm.trace.add(TraceRange.parse("c0008-c000b,rw"))
        vm.run()
        assert vm.trace.since(0) == heard
        assert [(each.access.kind, each.access.value, each.access.ip) for each in heard] == [
            *((WRITE, count, _STORE) for count in (5, 4, 3, 2, 1)), (READ, 0, _LOAD),
        ]  # fmt: skip
        assert {each.access.region for each in heard} == {"pc.rom"}
        assert {(each.access.cs, each.access.address) for each in heard} == {(0xF000, 0xC0009)}
        assert {each.access.offset for each in heard} == {9}
        times = [each.time_ns for each in heard]
        assert times == sorted(times)
        assert not any(each.stops for each in heard)
        assert vm.trace.stopped is None


def test_a_stop_pauses_the_machine_which_goes_on_from_there(bios):
    with VirtualMachine(MachineConfig(bios=bios)) as vm:
        events = []
        vm.events.subscribe(lambda event: events.append(event.name))
        vm.trace.add(TraceRange(0xC0009, 0xC0009, frozenset({READ})), stops=True)
        assert vm.run() is RunState.PAUSED
        assert vm.trace.stopped is not None
        assert vm.trace.stopped.access.ip == _LOAD
        assert events[-2:] == [tracing.TRACE_STOPPED, "STOP"]
        assert vm.trace.total == 1
        vm.trace.clear()
        vm.run()
        assert vm.trace.total == 1


def test_a_machine_that_stopped_before_an_instruction_goes_on_with_it(bios):
    with VirtualMachine(MachineConfig(bios=bios)) as vm:
        vm.trace.add(TraceRange.parse(f"{0xF0000 + _STORE:x},x"), stops=True)
        for told in range(1, 6):
            assert vm.run() is RunState.PAUSED
            assert (vm.trace.total, vm.trace.stopped.access.ip) == (told, _STORE)
        vm.run()
        assert vm.trace.total == 5, "the loop is done"


def test_the_newest_are_kept(bios, monkeypatch):
    monkeypatch.setattr(tracing, "KEPT", 2)
    with VirtualMachine(MachineConfig(bios=bios)) as vm:
        vm.trace.add(TraceRange.parse("0xc0009,w"))
        vm.run()
        assert vm.trace.total == 5
        assert [each.access.value for each in vm.trace.since(0)] == [2, 1]
        assert [each.access.value for each in vm.trace.since(4)] == [1]
        assert vm.trace.since(5) == []


def test_an_engine_that_does_not_tell_says_so():
    with (
        VirtualMachine(MachineConfig(), engine="none") as vm,
        pytest.raises(UnsupportedError, match="'none' does not tell"),
    ):
        vm.trace.add(TraceRange(0, 1))


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("c0000-c7fff", TraceRange(0xC0000, 0xC7FFF, frozenset(WatchKind))),
        ("0xfed00000,w", TraceRange(0xFED00000, 0xFED00000, frozenset({WRITE}))),
        ("f000:fff0,xr", TraceRange(0xFFFF0, 0xFFFF0, frozenset({EXECUTE, READ}))),
    ],
)
def test_a_range_is_read(text, parsed):
    assert TraceRange.parse(text) == parsed


@pytest.mark.parametrize("text", ["c0000,", "c0000,q", "c0000,r,w", "nobody,r", ""])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(ConfigError):
        TraceRange.parse(text)


@pytest.mark.parametrize(("after", "kept"), [
    (0, [3, 4, 5]), (1, [3, 4, 5]), (2, [3, 4, 5]), (3, [4, 5]), (4, [5]), (5, []), (6, []),
])  # fmt: skip
def test_what_came_after_so_many(monkeypatch, after, kept):
    monkeypatch.setattr(tracing, "KEPT", 3)
    with VirtualMachine(MachineConfig(machine="none"), engine="none") as vm:
        for number in range(1, 6):
            access = GuestAccess(READ, number, 1, 0, "ram", number, 0, 0)
            vm.trace._heard(TracedAccess(0, access, stops=False))
        assert [each.access.address for each in vm.trace.since(after)] == kept
        assert (vm.trace.total, vm.trace.stopped) == (5, None)


@pytest.mark.parametrize(("kind", "word"), [(READ, "read"), (WRITE, "write"), (EXECUTE, "execute")])
def test_an_access_as_json(kind, word):
    access = GuestAccess(kind, 0xC0009, 4, 7, "", 9, 0xF000, 0xFFF0)
    assert tracing.traced_to_json(TracedAccess(5, access, stops=True)) == {
        "time-ns": 5, "kind": word, "address": 0xC0009, "size": 4, "value": 7, "region": None,
        "offset": 9, "cs": 0xF000, "ip": 0xFFF0, "exact": True,
    }  # fmt: skip
