"""SeaBIOS's flow as it is told here, without symbols, beside breakpoints in QEMU and its log."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from guestmap.accel import Register, Segment, SegmentRegister
from guestmap.base import UnsupportedError
from guestmap.firmware import find_bios
from guestmap.machine import MachineConfig, Phase, RunState, VirtualMachine, config_of
from guestmap.machine.flow.following import follow
from guestmap.machine.flow.records import Decision, Stack, StackKind
from guestmap.machine.flow.tracker import FlowTracker
from tests.guests.disk import disk
from tests.guests.sleeper import Theirs, registers

pytestmark = [pytest.mark.unicorn, pytest.mark.seabios]

_DEBIANS = "2da2018c7555e50b660a84a273a14a79cb87b9070fe6a90e9f151a53e357f7e6"
"""SHA-256 of bios-256k.bin of Debian's SeaBIOS 1.16.2-1, whose code is where these say."""
_CODE = {
    0xFEC23: "to 32 bit", 0xFCF85: "to 16 bit", 0xFCF9A: "to 16 bit, big", 0xFE2AE: "SMI",
    0xFD35F: "INT on the extra stack",
}  # fmt: skip
_BOOT_SECTOR = 0x7C00
_DEBUG = Path(__file__).parents[3] / ".oracle" / "seabios-debug" / "bios.bin"
_THREADS = re.compile(r"PS2 keyboard initialized|ATA controller \d")
"""What the distribution's SeaBIOS says once in each thread of its set-up."""
_STARTS = re.compile(r"/([0-9a-f]{8})\\ Start thread")
_PAGE, _SHUTDOWN_STATUS = 0x1000, 0x0F


def _words(image: Path, *, smm: bool, vga: str = "none") -> list[str]:
    return [
        "-M", f"pc-i440fx-7.2,smm={'on' if smm else 'off'}", "-nodefaults", "-m", "16M",
        "-vga", vga, "-drive", f"file={image},format=raw,if=ide,readonly=off,snapshot=on",
    ]  # fmt: skip


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(disk("sleep"))
    return path


def _machine(words: list[str]) -> VirtualMachine:
    config = config_of([*words, "-global", "apic-common.vapic=off"])
    return VirtualMachine(replace(config, debugcon=True))


def _counts(flow: FlowTracker) -> Counter[str]:
    """Return what breakpoints would have counted."""
    counts = Counter({"SMI": flow.smis})
    for (before, after), count in flow.modes.items():
        if after.endswith("32-bit") and "16" in before:
            counts["to 32 bit"] += count
        elif before == "32-bit" and after.startswith("16"):
            counts["to 16 bit, big" if after.endswith("big") else "to 16 bit"] += count
    for stack in _of(flow, StackKind.EXTRA):
        for cause, count in stack.causes.items():
            if (
                cause.startswith("INT") and cause != "INT 10h"
            ):  # the VGA BIOS has a stack of its own
                counts["INT on the extra stack"] += count
    return +counts


def _of(flow: FlowTracker, kind: StackKind) -> list[Stack]:
    return [each for each in flow.stacks.known if each.kind is kind]


@pytest.mark.nasm
@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its firmware does")
@pytest.mark.parametrize(
    ("smm", "vga"),
    [
        pytest.param(True, "none", id="smm"),
        pytest.param(False, "none", id="no smm", marks=pytest.mark.long),
        pytest.param(True, "std", id="vga", marks=pytest.mark.long),
    ],
)  # fmt: skip
def test_a_start_is_what_breakpoints_count_in_qemu(image: Path, smm: bool, vga: str) -> None:
    if hashlib.sha256(find_bios(None).read_bytes()).hexdigest() != _DEBIANS:
        pytest.skip("needs Debian's SeaBIOS 1.16.2-1: where its code is, is known")
    words = _words(image, smm=smm, vga=vga)
    with _machine(words) as vm:
        flow = follow(vm)
        assert vm.run() is RunState.SUSPENDED
        threads = sum(bool(_THREADS.match(line.text)) for line in vm.log)
    counted: Counter[str] = Counter()
    with Theirs(words) as theirs:
        theirs.stop_at(_BOOT_SECTOR, *_CODE)
        while (where := _run(theirs)) != _BOOT_SECTOR:
            counted[_CODE[where]] += 1
    assert _counts(flow) == counted
    assert sum(each.lives for each in _of(flow, StackKind.THREAD)) == threads
    assert [each.low >> 12 for each in _of(flow, StackKind.MAIN)] == [6]
    assert len(_of(flow, StackKind.SMM)) == smm


def _run(machine: Theirs) -> int:
    """Run to the next stop, and return where that is."""
    machine.run()
    shown = registers(machine)
    return int(shown["CS"].split()[1], 16) + int(shown["EIP"], 16) & 0xFFFFFFFF


@pytest.mark.long
@pytest.mark.nasm
def test_entries_by_the_reset_vector_and_what_was_decided(image: Path) -> None:
    with _machine(_words(image, smm=True)) as vm:
        flow = follow(vm)
        assert vm.run() is RunState.SUSPENDED
        vm.wake_up()
        assert vm.run() is RunState.SUSPENDED
        vm.board.isa.rtc.set_cmos(_SHUTDOWN_STATUS, 0)
        vm.system_reset()
        assert vm.run() is RunState.SUSPENDED
        vm.wake_up()
        vm.run(until=Phase.RESUME)  # which has forgotten that it is one
        vm.vcpu.write_segment(SegmentRegister.CS, Segment(0xFFFF, 0xFFFF0, 0xFFFF))
        vm.vcpu.write_register(Register.EIP, 0)
        assert vm.run() is RunState.SUSPENDED
    told = [(each.cause, each.decision) for each in flow.entries]
    start, again, resume = Decision.START, Decision.REBOOT, Decision.RESUME
    assert told == [
        ("power on", start),
        ("wake-up", resume),
        ("the host asks", again), ("port CF9h", start),
        ("wake-up", again), ("jump to the reset vector", again), ("port CF9h", start),
    ]  # fmt: skip


def test_hardware_does_not_tell(image: Path) -> None:
    with (
        VirtualMachine(MachineConfig(), engine="none") as vm,
        pytest.raises(UnsupportedError, match="engine 'none' does not tell of modes and stacks"),
    ):
        follow(vm)


@pytest.mark.peers
@pytest.mark.nasm
def test_threads_and_management_interrupts_are_those_of_seabios_s_debug_log(image: Path) -> None:
    if not _DEBUG.exists():
        pytest.skip(
            "needs a SeaBIOS that tells everything: tools/seabios_debug.sh .oracle/seabios-debug"
        )
    with _machine([*_words(image, smm=True), "-bios", str(_DEBUG)]) as vm:
        flow = follow(vm)
        assert vm.run() is RunState.SUSPENDED
        lines = [line.text for line in vm.log]
    started = Counter(int(found[1], 16) for line in lines if (found := _STARTS.match(line)))
    assert started
    assert {each.low & -_PAGE: each.lives for each in _of(flow, StackKind.THREAD)} == started
    assert flow.smis == sum(line.startswith("init smm") for line in lines)
    assert [each.decision for each in flow.entries] == [Decision.START]
