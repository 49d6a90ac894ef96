"""The inside of the library: what only it can do, and that nothing depends on it."""

from __future__ import annotations

import random
import signal
import struct
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from unicorn import Uc
from unicorn import unicorn_const as uc_api

from guestmap.accel import ExitReason, Segment, SegmentRegister
from guestmap.accel.unicorn import attach
from guestmap.accel.unicorn.internals import PARTS, Library, Refused, known, trials
from guestmap.accel.unicorn.internals.findings import from_text, nothing
from guestmap.base import ConfigError, faults
from guestmap.memory import AccessSizes, MemoryRegionOps, MemorySystem
from tests.accel.guest import CODE, STACK, Guest
from tests.accel.known_builds import need_internals
from tests.accel.test_interrupts import GDT, IDT, PF, TSS, descriptor, gate, protected, set_gate
from tests.support.killed import End, killed_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRIALS = {
    "halts": "halts", "long mode": "long_mode", "exceptions": "exceptions", "stores": "stores",
    "overwritten code": "overwritten", "whole blocks": "whole_blocks",
    "system calls": "system_calls", "interrupts": "interrupts",
}  # fmt: skip

RESTS_ON = {
    "stores": {"overwritten code", "whole blocks"}, "whole blocks": {"overwritten code"}
}  # fmt: skip
"""Parts that there are only with another one."""


def le32(value: int) -> bytes:
    return value.to_bytes(4, "little")


@pytest.fixture
def inside() -> Iterator[Guest]:
    with Guest(internals=True) as machine:
        need_internals(machine.accelerator)
        yield machine


def test_all_of_the_inside_is_used_where_it_is_known(inside):
    assert inside.accelerator.parts == dict.fromkeys(PARTS, "internals")
    assert inside.accelerator.capabilities.long_mode


# -- one part less ---------------------------------------------------------------------------------


def refuse(*_args: Any, **_kind: Any) -> None:
    raise Refused("for a test")


@pytest.mark.parametrize("part", TRIALS)
def test_a_part_that_fails_its_trial_is_done_as_documented(part, monkeypatch, caplog):
    monkeypatch.setattr(trials, TRIALS[part], refuse)
    with Guest(internals=True) as guest:
        assert guest.accelerator.parts[part] == "documented: for a test"
        others = set(PARTS) - {part} - RESTS_ON.get(part, set())
        assert {guest.accelerator.parts[name] for name in others} == {"internals"}
        assert f"not used for {part}: for a test" in caplog.text
        guest.vector(0, 0x2000)
        guest.vector(0x20, 0x2100)
        guest.memory.write(0x2000, b"\x55\x89\xe5\x83\x46\x02\x02\x5d\xe6\x80\xcf")  # ip += 2
        guest.memory.write(0x2100, b"\xe6\x81\xcf")
        guest.line.vectors.append(0x20)
        guest.real(b"\xb0\x07\x31\xc9\xf7\xf1\xf7\xf1\xfb\xf4\xcd\x20\xfa\xf4")
        assert guest.run().reason is ExitReason.HALTED
        assert (len(guest.value()), len(guest.value(0x81))) == (2, 2)
        assert guest.accelerator.statistics().exceptions == 2


LOOKED_AT = [
    ("halts", "a stop looks like HLT"),
    ("registers", "flags cannot be read"),
    ("registers", "flags cannot be written"),
    ("long mode", "RIP is cut to 32 bits"),
    ("exceptions", "exceptions in real mode do not arrive"),
    ("exceptions", "exceptions are counted wrong"),
    ("exceptions", "error codes do not arrive"),
    ("system calls", "SYSCALL does not go where it should"),
    ("system calls", "SYSCALL does not know its way back"),
    ("system calls", "SYSENTER does not go where it should"),
    ("system calls", "SYSENTER does not set the stack"),
    ("system calls", "system calls are counted wrong"),
    ("system calls", "a forbidden system call does not fault"),
    ("stores", "a store leaves stale code behind"),
    ("stores", "TLB entries are made in another way"),
    ("stores", "which pages have code is not told"),
    ("overwritten code", "which page is filled is not told"),
    ("overwritten code", "a page that is filled does not end the run"),
    ("whole blocks", "a run ends in the middle of a block"),
    ("interrupts", "a request is not taken as it should"),
]


@pytest.mark.parametrize(("part", "wrong"), LOOKED_AT)
def test_each_thing_that_a_trial_looks_at_can_fail_it(part, wrong, monkeypatch):
    require = trials._require
    monkeypatch.setattr(trials, "_require", lambda holds, why: require(holds and why != wrong, why))
    with Guest(internals=True) as guest:
        assert guest.accelerator.parts[part] == f"documented: {wrong}"


def test_registers_that_do_not_show_leave_everything_to_the_documented_way(monkeypatch):
    monkeypatch.setattr(trials, "flags", refuse)
    with Guest(internals=True) as guest:
        assert set(guest.accelerator.parts.values()) == {"documented: for a test"}
        assert not guest.accelerator.capabilities.long_mode
        guest.flat(b"\xb0\x07\xe6\x80\xf4")
        assert guest.run().reason is ExitReason.HALTED
        assert guest.value() == [7]


def test_the_environment_chooses(monkeypatch):
    monkeypatch.setenv("GUESTMAP_UNICORN", "documented")
    with Guest(hidden_state=True) as guest:
        assert set(guest.accelerator.parts.values()) == {"documented: asked for"}
    monkeypatch.setenv("GUESTMAP_UNICORN", "magic")
    with pytest.raises(ConfigError, match="GUESTMAP_UNICORN='magic': say internals or documented"):
        Guest(hidden_state=True)


# -- a build that is not known ---------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "guestmap"


class Child:
    """Stands for the process that explores."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: int, out: str = "") -> None:
        self.calls = 0
        self._result = subprocess.CompletedProcess([], code, out, "Boom: it is so\n")
        monkeypatch.setattr(subprocess, "run", self._run)

    def _run(self, *_args: Any, **_options: Any) -> subprocess.CompletedProcess[str]:
        self.calls += 1
        return self._result


def test_a_build_is_explored_once_in_a_process_of_its_own(cache, monkeypatch):
    first = known(Library())
    child = Child(monkeypatch, 0)
    assert known(Library()) == first
    assert child.calls == 0
    assert first.refused == {}
    assert from_text(first.to_text()) == first


@pytest.mark.parametrize("damage", [b"", b"\xff", b"{}", b"0\n{}"])
def test_a_damaged_file_is_made_anew(cache, damage):
    first = known(Library())
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage)
    assert known(Library()) == first
    assert file.read_bytes() == whole


@pytest.mark.parametrize("step", faults.WHOLE_FILE_STEPS)
def test_who_is_killed_while_it_is_kept_leaves_all_of_it_or_nothing(step, cache):
    expected = known(Library())
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    file.unlink()
    assert killed_at(f"cache.{step}", lambda: known(Library())) is End.KILLED
    left = [each.read_bytes() for each in cache.glob("[!.]*")]
    assert left == ([whole] if step in ("before-folder-fsync", "after") else [])
    assert known(Library()) == expected
    assert file.read_bytes() == whole


def test_one_wrong_digit_is_damage(cache):
    first = known(Library())
    (file,) = cache.iterdir()
    file.write_text(file.read_text().replace(f"\ncpu: {first.cpu}", f"\ncpu: {first.cpu + 8}"))
    assert known(Library()).cpu == first.cpu


def test_findings_say_what_was_refused_and_why():
    found = replace(known(Library()), refused={"stores": "a reason: it has\ntwo lines. Or not"})

    again = from_text(found.to_text())
    assert again.refused == {"stores": "a reason: it has two lines. Or not"}
    assert replace(again, refused={}) == known(Library())


@pytest.mark.parametrize(
    "text",
    ["", "guestmap 1\n", "guestmap 2\n", "guestmap 2\ncpu: 5\n", "guestmap 2\ncpu 5\n"],
)
def test_a_text_that_is_no_findings_is_refused(text):
    with pytest.raises(ValueError, match=r"another version|damaged|invalid literal"):
        from_text(text)


def test_a_build_that_ends_the_process_is_never_tried_again(cache, monkeypatch):
    child = Child(monkeypatch, -signal.SIGSEGV)
    for _ in range(2):
        with pytest.raises(Refused, match="ended the process that explored it: Segmentation"):
            known(Library())
    assert child.calls == 1


def test_a_build_without_what_is_needed_is_not_asked_again(cache, monkeypatch):
    child = Child(monkeypatch, 0, nothing("no such thing"))
    for _ in range(2):
        with pytest.raises(Refused, match="no such thing"):
            known(Library())
    assert child.calls == 1


def test_a_failure_for_another_reason_is_told_and_not_kept(cache, monkeypatch):
    child = Child(monkeypatch, 1)
    for _ in range(2):
        with pytest.raises(Refused, match="failed: Boom: it is so"):
            known(Library())
    assert child.calls == 2


def test_without_a_place_for_the_cache_it_is_explored_each_time(cache):
    cache.write_text("no folder")
    assert known(Library()).refused == {}


def test_a_frozen_program_explores_nothing(cache, monkeypatch):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(Refused, match="no Python interpreter"):
        known(Library())


# -- what only the library's own delivery does -----------------------------------------------------


def test_a_task_gate_switches_tasks(inside):
    new, stack = 0x6000, 0x7800
    protected(inside, b"\xcd\x40\xe6\x82\xf4")
    busy = descriptor(0x08B, 0x67, TSS)
    table = inside.memory.read(GDT, 0x28) + busy + bytes(8) + descriptor(0x089, 0x67, new)
    inside.memory.write(GDT, table)
    inside.vcpu.write_segment(SegmentRegister.GDTR, Segment(0, GDT, len(table) - 1))
    state = [0] * 26
    state[8:10] = 0x2800, 2  # EIP, EFLAGS
    state[14] = stack
    state[18:24] = 16, 8, 16, 16, 16, 16  # ES, CS, SS, DS, FS, GS
    inside.memory.write(new, struct.pack("<26I", *state))
    inside.memory.write(0x2800, b"\x89\xe0\xe7\x80\xcf")  # mov eax, esp; out 0x80, eax; iret
    inside.memory.write(IDT + 0x40 * 8, gate(0, 0x85, 0x38))
    assert inside.run().reason is ExitReason.HALTED
    assert inside.value() == [stack]
    assert len(inside.value(0x82)) == 1  # back in the first task
    assert inside.memory.load(TSS + 0x20, 4) == CODE + 2  # whose state was kept


def test_an_interrupt_in_virtual_8086_mode(inside):
    frame = b"".join(
        b"\x68" + le32(value) for value in (0, 0, 0, 0, 0, 0x6000, 0x23002, 0, 0x3000)
    )  # GS, FS, DS, ES, SS, ESP, EFLAGS with VM and IOPL 3, CS, EIP
    protected(inside, frame + b"\xcf")
    inside.memory.write(0x3000, b"\xb8\x34\x12\xcd\x41")  # mov ax, 1234h; int 41h
    # mov edx, [esp+8]; xchg eax, edx; out 0x80, eax; hlt
    set_gate(inside, 0x41, b"\x8b\x54\x24\x08\x92\xe7\x80\xf4", 0xEE)
    assert inside.run().reason is ExitReason.HALTED
    assert inside.value()[0] & 0x20000
    assert inside.memory.load(0x7000 - 36, 4) == 0x3005


# -- 64-bit guests ---------------------------------------------------------------------------------

PML4, PDPT, DIRECTORY = 0x10000, 0x11000, 0x12000
IDT_64, TSS_64, FAULT_STACK = 0x13000, 0x14000, 0x7000
HIGH = 0xFFFF800000000000
LONG = (
    b"\xb8" + le32(PML4) + b"\x0f\x22\xd8"  # mov cr3, PML4
    b"\x0f\x20\xe0\x83\xc8\x20\x0f\x22\xe0"  # or cr4, PAE
    b"\xb9\x80\x00\x00\xc0\x0f\x32\x0d\x01\x01\x00\x00\x0f\x30"  # EFER |= LME | SCE
    b"\x0f\x20\xc0\x0d\x00\x00\x00\x80\x0f\x22\xc0"  # or cr0, PG
    b"\xea" + le32(0x3000) + b"\x08\x00"  # jmp 8:3000h
)
TO_HIGH = b"\x48\xb8" + struct.pack("<Q", HIGH + 0x3100) + b"\xff\xe0"  # mov rax, ...; jmp rax


def long_mode(guest: Guest, code: bytes) -> None:
    """Run ``code`` at HIGH + 3100h in 64-bit mode; the first 2 MiB show at 0 and at HIGH."""
    guest.flat(LONG)
    table = (
        bytes(8) + descriptor(0xA9B) + descriptor(0xC93) + bytes(8)
        + descriptor(0x089, 0x67, TSS_64) + bytes(8)
    )  # fmt: skip
    guest.memory.write(GDT, table)
    guest.vcpu.write_segment(SegmentRegister.GDTR, Segment(0, GDT, len(table) - 1))
    guest.vcpu.write_segment(SegmentRegister.IDTR, Segment(0, IDT_64, 0xFFF))
    entries = {0: PDPT | 3, 256: PDPT | 3}
    guest.memory.write(PML4, struct.pack("<512Q", *(entries.get(n, 0) for n in range(512))))
    guest.memory.write(PDPT, struct.pack("<Q", DIRECTORY | 3))
    guest.memory.write(DIRECTORY, struct.pack("<Q", 0x83))
    guest.memory.write(TSS_64 + 0x24, struct.pack("<Q", FAULT_STACK))  # IST1
    # mov ax, 20h; ltr ax, in 64-bit code: the task register of 16 bytes
    guest.memory.write(0x3000, b"\x66\xb8\x20\x00\x0f\x00\xd8" + TO_HIGH)
    guest.memory.write(0x3100, code)


def handle(guest: Guest, vector: int, code: bytes, ist: int = 0) -> None:
    at = HIGH + 0x4000 - 0x800 + vector * 0x20
    guest.memory.write(at & 0xFFFFF, code)
    low, mid, high = at & 0xFFFF, at >> 16 & 0xFFFF, at >> 32
    entry = struct.pack("<HHHHII", low, 8, 0x8E00 | ist, mid, high, 0)
    guest.memory.write(IDT_64 + vector * 16, entry)


def test_a_page_fault_in_long_mode_on_a_stack_of_its_own(inside):
    long_mode(inside, b"\xc6\x04\x25" + le32(0x400123) + b"\x01\xf4")  # mov byte [400123h], 1
    # pop rax; out 0x80, eax; mov rax, cr2; out; mov rax, rsp; out; pop rax; shr rax, 32; out
    handle(inside, PF, b"\x58\xe7\x80\x0f\x20\xd0\xe7\x80\x48\x89\xe0\xe7\x80"
                       b"\x58\x48\xc1\xe8\x20\xe7\x80\xf4", 1)  # fmt: skip
    assert inside.run().reason is ExitReason.HALTED
    assert inside.value() == [2, 0x400123, FAULT_STACK - 40, HIGH >> 32]


@pytest.mark.parametrize("opcode", ["a4", "a5", "48a5", "aa", "48ab"])
def test_string_instructions_are_gone_on_with_in_64_bit_code(inside: Guest, opcode: str) -> None:
    """Elements of eight bytes, too; RDI and RSI keep their upper halves."""
    at, cells = 0xA0000, bytearray(0x2000)

    def write(offset: int, value: int, size: int) -> None:
        cells[offset : offset + size] = value.to_bytes(size, "little")

    ops = MemoryRegionOps(write=write, impl=AccessSizes(min=1, max=4), like_memory=True)
    inside.root.add_subregion(at, inside.system.io("device", 0x2000, ops, owner=inside), 1)
    data = random.Random(1).randbytes(0x1800)
    inside.memory.write(0x20000, data)
    size = 8 if opcode.startswith("48") else 4 if opcode == "a5" else 1
    count = 0x1400 // size
    long_mode(inside, b"".join((
        b"\x48\xbf", struct.pack("<Q", HIGH + at), b"\x48\xbe", struct.pack("<Q", HIGH + 0x20000),
        b"\xb9", le32(count), b"\x48\xb8", bytes(range(1, 9)),  # mov rdi; rsi; ecx; rax
        b"\xf3", bytes.fromhex(opcode),
        b"\x48\x89\xf8\xe7\x80\x48\xc1\xe8\x20\xe7\x80",  # mov rax, rdi; out; its upper half
        b"\x48\x89\xf0\x48\xc1\xe8\x20\xe7\x80\x89\xc8\xe7\x80\xf4",  # rsi's; ecx
    )))  # fmt: skip
    assert inside.run().reason is ExitReason.HALTED
    low = (HIGH + at + count * size) & 0xFFFFFFFF
    assert inside.value() == [low, HIGH >> 32, HIGH >> 32, 0]
    wanted = data if opcode.endswith(("a4", "a5")) else bytes(range(1, 1 + size)) * count
    assert cells[: count * size] == wanted[: count * size]
    assert inside.accelerator.statistics().strings == 2, "once for each of two pages"


def wrmsr(number: int, value: int) -> bytes:
    """Return code that writes an MSR: mov ecx, number; mov eax, low; mov edx, high; wrmsr."""
    low, high = le32(value & 0xFFFFFFFF), le32(value >> 32)
    return b"\xb9" + le32(number) + b"\xb8" + low + b"\xba" + high + b"\x0f\x30"


@pytest.mark.parametrize(
    ("instruction", "registers"),
    [
        (b"\x0f\x05", {0xC0000080: 1, 0xC0000081: 8 << 32 | 0x3080}),  # syscall: EFER, STAR
        (b"\x0f\x34", {0x174: 8, 0x175: 0x5000, 0x176: 0x3080}),  # sysenter: CS, ESP, EIP
    ],
    ids=["SYSCALL", "SYSENTER"],
)
def test_a_system_call_of_ring_3_is_answered_in_ring_0(inside, instruction, registers):
    setup = b"".join(wrmsr(number, value) for number, value in registers.items())
    frame = b"".join(b"\x68" + le32(value) for value in (0x23, 0x6000, 2, 0x1B, 0x3000))
    protected(inside, setup + frame + b"\xcf")  # iret to ring 3
    inside.memory.write(0x3000, instruction)
    # cli, which only ring 0 may; mov eax, cs; out 0x80, eax; mov eax, ss; out 0x81, eax; hlt
    inside.memory.write(0x3080, b"\xfa\x8c\xc8\xe7\x80\x8c\xd0\xe7\x81\xf4")
    assert inside.run().reason is ExitReason.HALTED
    assert (inside.value(), inside.value(0x81)) == ([8], [16])


def test_a_system_call_and_the_way_back(inside):
    entry = HIGH + 0x3080
    setup = b"".join(
        wrmsr(number, value)
        for number, value in ((0xC0000081, 8 << 32), (0xC0000082, entry), (0xC0000084, 1))
    )
    # stc; syscall; out 0x82, eax; hlt
    long_mode(inside, setup + b"\xf9\x0f\x05\xe7\x82\xf4")
    # sbb eax, eax; out 0x80, eax; mov rax, r11; out 0x81, eax; jmp rcx
    inside.memory.write(0x3080, b"\x19\xc0\xe7\x80\x4c\x89\xd8\xe7\x81\xff\xe1")
    assert inside.run().reason is ExitReason.HALTED
    assert inside.value() == [0]  # FMASK has cleared the carry flag
    assert inside.value(0x81)[0] & 1  # and R11 has it
    assert len(inside.value(0x82)) == 1


def test_a_run_that_is_left_at_an_address_of_64_bits_goes_on_there(inside):
    inside.on_port[0x90] = lambda _value: inside.loop.attend()
    # again: out 0x90, al; jmp $+2; dec ecx; jnz again; mov rax, [rip-relative]; shr; out
    code = b"\xb9\x32\x00\x00\x00\xe6\x90\xeb\x00\xff\xc9\x75\xf8"
    code += b"\x48\x8d\x05\x00\x00\x00\x00\x48\xc1\xe8\x20\xe7\x80\xf4"
    long_mode(inside, code)
    assert inside.run().reason is ExitReason.HALTED
    assert inside.value() == [HIGH >> 32]
    assert inside.accelerator.statistics().entries > 20


def test_a_double_fault_in_long_mode(inside):
    long_mode(inside, b"\x0f\x0b")  # ud2, which has no gate
    handle(inside, 8, b"\x58\xe7\x80\xf4")  # pop rax; out 0x80, eax; hlt
    assert inside.run().reason is ExitReason.HALTED
    assert inside.value() == [0]


def test_a_triple_fault_in_long_mode(inside):
    long_mode(inside, b"\x90\x0f\x0b")
    end = inside.run()
    assert end.reason is ExitReason.SHUTDOWN
    assert end.message == f"triple fault at 0008:{HIGH + 0x3101:x}"


def test_an_observer_sees_interrupts_in_real_mode_and_may_fail(inside):
    seen: list[int] = []

    def observe(event: Any) -> None:
        seen.append(event.vector)
        if len(seen) == 3:
            raise ZeroDivisionError

    inside.vcpu.observe_software_interrupts(observe, {0x20})
    inside.vector(0x20, 0x2000)
    inside.vector(0x21, 0x2000)
    inside.memory.write(0x2000, b"\xcf")
    inside.real(b"\xcd\x20\xcd\x21" * 4 + b"\xf4")
    with pytest.raises(ZeroDivisionError):
        inside.run()
    assert inside.run().reason is ExitReason.HALTED
    assert seen == [0x20] * 4
    assert inside.accelerator.statistics().software_interrupts == 8
    assert inside.register("esp") == STACK


def test_an_instance_of_somebody_else_is_left_alone(inside: Guest) -> None:
    """One whose TLB is filled by another of the library's functions, too."""
    inside.real(b"\xf4")
    inside.run()
    system = MemorySystem()
    uc = Uc(uc_api.UC_ARCH_X86, uc_api.UC_MODE_32)
    root = system.container("root", 1 << 32)
    with attach(uc, system.address_space("memory", root)):
        root.add_subregion(0, system.ram("ram", 0x10000))
        root.add_subregion(0x4000, system.ram("more", 0x1000), priority=1)  # unmaps, and maps anew
        uc.mem_write(0x4000, b"\x5a")
        assert uc.mem_read(0x4000, 1) == b"\x5a"
