"""A guest sleeps in RAM and SeaBIOS resumes it: at each step our machine is as QEMU's."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guestmap.base import MIB
from guestmap.machine import RunState, saved
from tests.guests.disk import disk
from tests.guests.sleeper import Ours, Sleeper, Theirs, picture, registers

pytestmark = [
    pytest.mark.nasm,
    pytest.mark.unicorn,
    pytest.mark.seabios,
    pytest.mark.qemu,
    pytest.mark.qemu_7_2("what a wake-up leaves in its registers"),
]

_RESET, _ENTRY, _SMI = 0xFFFFFFF0, 0xFE05B, 0x38000
"""The reset vector, where it jumps to on every PC, the first system management interrupt."""
_VECTOR, _MARKS = 0x604, (0x500000, 0x38000, 0x3FEF8)
_PM_STATUS, _PM_ENABLE = 0x600, 0x602
_ANY, _ALARM, _24_HOURS = 0xFF, 0x20, 0x02
"""Of the clock chip: an alarm at any hour, minute or second; bits of register B."""
_MARK = 0x5EE91EE9.to_bytes(4, "little")
_CHUNK = 256
_SIGNATURE = f"{0x663:08x}"
_ADDRESS = re.compile("0x[0-9a-f]{8}")
_AWAKE = "Error: Unable to wake up: guest is not in suspended state"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sleep") / "image"
    path.write_bytes(disk("sleep"))
    return path


def _words(image: Path, *, smm: bool, vga: str) -> list[str]:
    return [
        "-M", f"pc-i440fx-7.2,smm={'on' if smm else 'off'}", "-nodefaults", "-m", "16M",
        "-vga", vga, "-drive", f"file={image},format=raw,if=ide,readonly=off,snapshot=on",
    ]  # fmt: skip


@pytest.fixture(
    params=[
        pytest.param({"smm": True, "vga": "none"}, id="smm"),
        pytest.param({"smm": False, "vga": "none"}, id="no smm", marks=pytest.mark.long),
        pytest.param({"smm": True, "vga": "std"}, id="vga", marks=pytest.mark.long),
    ]
)
def pair(request: pytest.FixtureRequest, image: Path) -> Iterator[tuple[Sleeper, Sleeper]]:
    words = _words(image, **request.param)
    with Ours(words) as ours, Theirs(words) as theirs:
        yield ours, theirs


def test_each_step_of_a_suspend_and_a_resume_is_qemus(pair):
    for machine in pair:
        machine.sleep()
    _same(pair, "asleep")
    memories = [machine.read(0, 16 * MIB) for machine in pair]
    lines = [len(machine.log) for machine in pair]
    vector = int.from_bytes(pair[0].read(_VECTOR, 4), "little")
    for machine in pair:
        assert machine.told[-1] == "SUSPEND"
        assert machine.state == "suspended"
        machine.stop_at(_RESET, _ENTRY, _SMI, vector)
        assert machine.hmp("system_wakeup") == ""
        machine.awake()
        assert "WAKEUP" in (told := machine.told)
        assert "RESET" not in told
    seen = [_here(pair)]
    while seen[-1] != vector and len(seen) < 5:
        for machine in pair:
            machine.run()
        seen.append(_here(pair))
    assert seen == [_RESET, _ENTRY, *([_SMI] if _has_smram(pair[0]) else []), vector]
    for machine in pair:
        assert all(machine.read(at, 4) == _MARK for at in _MARKS)
    changed = [_changed(before, machine) for machine, before in zip(pair, memories, strict=True)]
    assert changed[0] == changed[1]
    said = [
        [_ADDRESS.sub("0x...", line) for line in machine.log[before:]]  # theirs has more tables
        for machine, before in zip(pair, lines, strict=True)
    ]
    assert said[0] == said[1]
    assert said[0][0] == "In resume (status=254)"
    assert said[0][-1] == f"Jump to resume vector ({vector:x})"


def test_what_wakes_it_is_told_the_guest_as_by_qemu(pair):
    for machine in pair:
        machine.sleep()
    vector = int.from_bytes(pair[0].read(_VECTOR, 4), "little")
    for wake, status in WAYS:
        for machine in pair:
            assert machine.hmp("stop") == machine.hmp("cont") == ""
            assert machine.state == "suspended"
            machine.stop_at(vector)
            wake(machine)
            machine.awake()
            assert machine.inw(_PM_STATUS) & ~1 == status  # bit 0 is the PM timer's own
            assert machine.hmp("system_wakeup").strip() == _AWAKE
            machine.sleep()


def test_a_machine_saved_asleep_is_woken_in_another(image: Path, tmp_path: Path) -> None:
    words, path = _words(image, smm=True, vga="none"), tmp_path / "saved"
    with Ours(words) as machine:
        machine.sleep()
        saved.save(machine.vm, path)
    with saved.restore(path) as vm:
        assert vm.state is RunState.SUSPENDED
        assert vm.run() is RunState.SUSPENDED
        vm.wake_up()
        assert vm.run() is RunState.SUSPENDED
        assert [line.text for line in vm.log][-2:] == ["awake", "falling asleep"]


@pytest.mark.long
def test_the_pm_timer_wakes_nobody(pair):
    for machine in pair:
        machine.sleep()
        machine.outw(_PM_STATUS, 1)
        machine.outw(_PM_ENABLE, 1)
    ours, theirs = pair
    end = time.monotonic() + 30
    while not theirs.inw(_PM_STATUS) & 1:
        assert time.monotonic() < end
        time.sleep(0.1)
    time.sleep(0.5)
    assert ours.vm.run() is RunState.SUSPENDED
    assert (ours.state, theirs.state) == ("suspended", "suspended")


def _here(pair: tuple[Sleeper, Sleeper]) -> int:
    """Return the address of the instruction that both stand at; all else is the same, too."""
    ours, theirs = (registers(machine) for machine in pair)
    if ours["EDX"] == _SIGNATURE:  # a reset leaves there which CPU it is
        theirs["EDX"] = _SIGNATURE
    assert ours == theirs
    where = int(ours["CS"].split()[1], 16) + int(ours["EIP"], 16) & 0xFFFFFFFF
    _same(pair, f"at {where:x}")
    return where


def _by_alarm(machine: Sleeper) -> None:
    """Have the clock chip alarm each second, and let that wake the machine."""
    for register, value in ((1, _ANY), (3, _ANY), (5, _ANY), (0x0B, _ALARM | _24_HOURS)):
        machine.outb(0x70, register)
        machine.outb(0x71, value)
    machine.outw(_PM_ENABLE, 1 << 10)


WAYS: list[tuple[Callable[[Sleeper], object], int]] = [
    (lambda machine: machine.hmp("system_wakeup"), 0x8100),
    (_by_alarm, 0x8400),
    (lambda machine: machine.hmp("sendkey a"), 0x8100),  # last: its release wakes it once more
]
"""What wakes it, and what PM1 then says: WAK_STS, and the power button or the clock chip."""


def _has_smram(machine: Sleeper) -> bool:
    return bool(picture(machine)["function 00"][0x70 // 4] >> 16 & 1 << 3)


def _same(pair: tuple[Sleeper, Sleeper], where: str) -> None:
    ours, theirs = (picture(machine) for machine in pair)
    for what, shown in ours.items():
        assert shown == theirs[what], f"{what}, {where}"


def _changed(before: bytes, machine: Sleeper) -> list[int]:
    """Return which pieces of the memory are others now."""
    now = machine.read(0, len(before))
    pieces = range(0, len(now), _CHUNK)
    return [at for at in pieces if now[at : at + _CHUNK] != before[at : at + _CHUNK]]
