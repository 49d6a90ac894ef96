"""Delivery of interrupts and exceptions, rule by rule: Intel SDM volume 3, chapters 5 and 6.

A state of numbers stands for the CPU, so each rule is tried alone; test_interrupts.py has the same
with guests.
"""

from __future__ import annotations

import struct
from typing import Any

import pytest

from guestmap.accel import Segment
from guestmap.accel.unicorn.delivery import Cause, Delivery
from guestmap.accel.unicorn.paging import GuestFault, LinearMemory
from guestmap.accel.unicorn.state import (
    AC,
    CS,
    DS,
    ES,
    ESP,
    FS,
    GDTR,
    GS,
    IDTR,
    IF,
    LDTR,
    NT,
    RF,
    SS,
    TF,
    TR,
    VM,
)  # fmt: skip
from guestmap.base import UnsupportedError
from guestmap.memory import AddressSpace, MemorySystem
from tests.accel.test_interrupts import descriptor, gate

pytestmark = pytest.mark.unicorn

IDT, GDT, LDT, TSS = 0x1000, 0x2000, 0x2800, 0x3000
STACK, STACKS, HANDLER = 0x8000, (0x6000, 0x6400, 0x6800), 0x12345679
VECTOR = 0x30
CLOSED = 0xFFEFFFFF

# Bits 40-47 of descriptors: present, DPL, S, type.
CODE, CONFORMING, DATA = 0x9B, 0x9F, 0x93
KERNEL_CODE, KERNEL_DATA, USER_CODE, USER_DATA, OTHER = 0x08, 0x10, 0x1B, 0x23, 0x28


def dpl(level: int) -> int:
    return level << 5


class State:
    """The registers of a CPU, as numbers."""

    complete = True
    long_mode = False
    interruptible = True
    error_code = 0
    software_return = None

    def __init__(self) -> None:
        self.eip, self.eflags, self.cpl, self.a20_mask = 0x1234, 0x202, 0, 0xFFFFFFFF
        self.generals = [0] * 8
        self.generals[ESP] = STACK
        self.controls = {0: 0x11, 2: 0, 3: 0, 4: 0}
        flat = 0x00C00000
        self.segments = [Segment(0, 0, 0, 0)] * 10
        self.segments[CS] = Segment(KERNEL_CODE, 0, 0xFFFFFFFF, flat | CODE << 8)
        for index in (SS, DS, ES, FS, GS):
            self.segments[index] = Segment(KERNEL_DATA, 0, 0xFFFFFFFF, flat | DATA << 8)
        self.segments[IDTR] = Segment(0, IDT, 0x7FF, 0)
        self.segments[GDTR] = Segment(0, GDT, 0x7F, 0)
        self.segments[LDTR] = Segment(0x60, LDT, 0x1F, 0x8200)
        self.segments[TR] = Segment(0x58, TSS, 0x67, 0x8B00)

    def load(self) -> None: ...

    def save(self) -> None: ...

    def general(self, index: int) -> int:
        return self.generals[index]

    def set_general(self, index: int, value: int) -> None:
        self.generals[index] = value

    def control(self, index: int) -> int:
        return self.controls[index]

    def segment(self, index: int) -> Segment:
        return self.segments[index]

    def set_segment(self, index: int, segment: Segment) -> None:
        self.segments[index] = segment

    def set_cr2(self, address: int) -> None:
        self.controls[2] = address


class Cpu:
    """A state, memory with tables, and what is delivered."""

    def __init__(self) -> None:
        self.state = State()
        system = MemorySystem()
        self.memory: AddressSpace = system.address_space("memory", system.ram("ram", 0x300000))
        self.linear = LinearMemory(self.state, self.memory)
        self.delivery = Delivery(self.state, self.linear)
        table = [0] * 8, descriptor(0xC00 | CODE), descriptor(0xC00 | DATA)
        self.memory.write(GDT + 8, table[1] + table[2])
        self.entry(USER_CODE, CODE | dpl(3))
        self.entry(USER_DATA, DATA | dpl(3))
        for level in range(3):
            self.entry(0x30 + 8 * level, DATA | dpl(level))
            stack = struct.pack("<II", STACKS[level], 0x30 + 8 * level | level)
            self.memory.write(TSS + 4 + 8 * level, stack)
        self.gate()

    def entry(self, selector: int, access: int, *, flags: int = 0xC, limit: int = 0xFFFFF) -> None:
        """Set a descriptor, in the table that its selector names."""
        base = LDT if selector & 4 else GDT
        self.memory.write(base + (selector & ~7), descriptor(flags << 8 | access, limit))

    def gate(self, kind: int = 0x8E, selector: int = KERNEL_CODE, vector: int = VECTOR) -> None:
        self.memory.write(IDT + 8 * vector, gate(HANDLER, kind, selector))

    def ring(self, level: int) -> None:
        self.state.cpl = level
        code, data = (KERNEL_CODE, KERNEL_DATA) if level == 0 else (USER_CODE, USER_DATA)
        self.state.segments[CS] = self.state.segments[CS]._replace(selector=code & ~3 | level)
        self.state.segments[SS] = self.state.segments[SS]._replace(selector=data & ~3 | level)

    def deliver(
        self, cause: Cause = Cause.EXTERNAL, *, vector: int = VECTOR, error_code: int = 0
    ) -> bool:
        return self.delivery.deliver(vector, cause, error_code)

    def fault(self, cause: Cause = Cause.EXTERNAL, vector: int = VECTOR) -> tuple[int, int]:
        """Return vector and error code of what delivery raises."""
        with pytest.raises(GuestFault) as caught:
            self.delivery._enter(vector, cause, 0)
        return caught.value.vector, caught.value.error_code

    def pushed(self, count: int, size: int = 4, base: int = 0) -> list[int]:
        """Return the words on the stack, the one pushed last first."""
        letter = "I" if size == 4 else "H"
        at = base + self.state.generals[ESP]
        return list(struct.unpack(f"<{count}{letter}", self.memory.read(at, count * size)))


@pytest.fixture
def cpu() -> Cpu:
    return Cpu()


# -- the frame -------------------------------------------------------------------------------------


def test_an_interrupt_at_the_same_level_pushes_three_words(cpu: Cpu) -> None:
    assert cpu.deliver()
    assert cpu.pushed(3) == [0x1234, KERNEL_CODE, 0x202]
    assert (cpu.state.eip, cpu.state.generals[ESP]) == (HANDLER, STACK - 12)
    assert cpu.state.segments[CS].selector == KERNEL_CODE


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("target", [0, 1, 2])
def test_an_inner_handler_runs_on_its_levels_stack(cpu: Cpu, level: int, target: int) -> None:
    cpu.ring(level)
    cpu.entry(OTHER, CODE | dpl(target))
    cpu.gate(selector=OTHER)
    if target > level:
        assert cpu.fault() == (13, OTHER)
        return
    old = cpu.state.segments[CS].selector, cpu.state.segments[SS].selector
    assert cpu.deliver()
    assert cpu.state.segments[CS].selector == OTHER | target
    if target == level:
        assert cpu.pushed(3) == [0x1234, old[0], 0x202]
        assert cpu.state.generals[ESP] == STACK - 12
    else:
        assert cpu.pushed(5) == [0x1234, old[0], 0x202, STACK, old[1]]
        assert cpu.state.generals[ESP] == STACKS[target] - 20
        assert cpu.state.segments[SS].selector == 0x30 + 8 * target | target


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("dpl_of_code", range(4))
def test_a_conforming_handler_runs_at_the_level_it_meets(
    cpu: Cpu, level: int, dpl_of_code: int
) -> None:
    """SDM 6.12.1.1: no change of level, no change of stack; its DPL may not be above."""
    cpu.ring(level)
    old = cpu.state.segments[CS].selector
    cpu.entry(OTHER, CONFORMING | dpl(dpl_of_code))
    cpu.gate(selector=OTHER)
    if dpl_of_code > level:
        assert cpu.fault() == (13, OTHER)
        return
    assert cpu.deliver()
    assert cpu.state.segments[CS].selector == OTHER | level
    assert cpu.pushed(3) == [0x1234, old, 0x202]
    assert cpu.state.generals[ESP] == STACK - 12


_ALL_FLAGS = 0x202 | TF | NT | RF | AC


@pytest.mark.parametrize(
    ("kind", "cleared", "size"),
    [(0x8E, IF, 4), (0x8F, 0, 4), (0x86, IF, 2), (0x87, 0, 2)],
)
def test_flags_and_widths_of_the_four_gates(cpu: Cpu, kind: int, cleared: int, size: int) -> None:
    cpu.state.eflags = _ALL_FLAGS
    cpu.gate(kind)
    assert cpu.deliver()
    assert cpu.state.eflags == _ALL_FLAGS & ~(TF | NT | RF | VM | cleared)
    mask = (1 << 8 * size) - 1
    assert cpu.pushed(3, size) == [0x1234, KERNEL_CODE, _ALL_FLAGS & mask]
    assert cpu.state.generals[ESP] == STACK - 3 * size
    assert cpu.state.eip == HANDLER & mask


@pytest.mark.parametrize("vector", range(20))
@pytest.mark.parametrize("cause", list(Cause))
def test_exceptions_with_an_error_code_push_it(cpu: Cpu, vector: int, cause: Cause) -> None:
    """SDM table 6-1; an interrupt or INT n of the same number pushes none."""
    has_code = cause is Cause.EXCEPTION and vector in {8, 10, 11, 12, 13, 14, 17}
    cpu.gate(vector=vector)
    assert cpu.deliver(cause, vector=vector, error_code=0x77)
    assert cpu.pushed(4)[:2] == ([0x77, 0x1234] if has_code else [0x1234, KERNEL_CODE])


@pytest.mark.parametrize(
    ("big", "pointer", "after"),
    [(True, 8, 0xFFFFFFFC), (False, 0xABCD0006, 0xABCDFFFA)],
)
def test_a_stack_wraps_at_its_own_width(cpu: Cpu, big: bool, pointer: int, after: int) -> None:
    base, mask = 0x100000, 0xFFFFFFFF if big else 0xFFFF
    cpu.state.segments[SS] = Segment(KERNEL_DATA, base, mask, 0x00409300 if big else 0x9300)
    cpu.state.generals[ESP] = pointer
    assert cpu.deliver()
    assert cpu.state.generals[ESP] == after
    for number, word in enumerate((0x1234, KERNEL_CODE, 0x202)):
        at = base + ((after + 4 * number) & mask) & 0xFFFFFFFF
        assert cpu.memory.load(at, 4) == word


def test_an_interrupt_of_virtual_8086_mode_saves_its_segments(cpu: Cpu) -> None:
    cpu.ring(3)
    cpu.state.eflags |= VM
    names = {CS: 0x1111, SS: 0x2222, DS: 0x3333, ES: 0x4444, FS: 0x5555, GS: 0x6666}
    for index, selector in names.items():
        cpu.state.segments[index] = Segment(selector, selector << 4, 0xFFFF, 0)
    assert cpu.deliver()
    assert cpu.pushed(9) == [
        0x1234, 0x1111, 0x202 | VM, STACK, 0x2222, 0x4444, 0x3333, 0x5555, 0x6666,
    ]  # fmt: skip
    assert cpu.state.generals[ESP] == STACKS[0] - 36
    assert not cpu.state.eflags & VM
    assert [cpu.state.segments[i] for i in (DS, ES, FS, GS)] == [Segment(0, 0, 0)] * 4


def test_virtual_8086_mode_must_enter_ring_0(cpu: Cpu) -> None:
    cpu.ring(3)
    cpu.state.eflags |= VM
    cpu.entry(OTHER, CODE | dpl(1))
    cpu.gate(selector=OTHER)
    assert cpu.fault() == (13, OTHER)


@pytest.mark.parametrize("iopl", range(4))
def test_int_n_of_virtual_8086_mode_needs_iopl_3(cpu: Cpu, iopl: int) -> None:
    cpu.ring(3)
    cpu.state.eflags |= VM | iopl << 12
    cpu.gate(0xEE)
    if iopl == 3:
        assert cpu.deliver(Cause.SOFTWARE)
    else:
        assert cpu.fault(Cause.SOFTWARE) == (13, 0)
    assert cpu.deliver(Cause.EXTERNAL)


# -- refusals --------------------------------------------------------------------------------------

IDT_ERROR = VECTOR * 8 + 2


@pytest.mark.parametrize("kind", range(0x80, 0xA0))
def test_what_is_no_gate_is_a_protection_fault(cpu: Cpu, kind: int) -> None:
    cpu.gate(kind)
    if kind in {0x86, 0x87, 0x8E, 0x8F}:
        assert cpu.deliver()
    elif kind == 0x85:
        with pytest.raises(UnsupportedError, match="task gate"):
            cpu.deliver()
    else:
        assert cpu.fault() == (13, IDT_ERROR)


@pytest.mark.parametrize("limit", [VECTOR * 8 + 6, VECTOR * 8 + 7])
def test_the_limit_of_the_idt_counts(cpu: Cpu, limit: int) -> None:
    cpu.state.segments[IDTR] = Segment(0, IDT, limit, 0)
    if limit == VECTOR * 8 + 7:
        assert cpu.deliver()
    else:
        assert cpu.fault() == (13, IDT_ERROR)


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("gate_level", range(4))
@pytest.mark.parametrize("cause", list(Cause))
def test_only_int_n_is_held_to_the_gates_level(
    cpu: Cpu, level: int, gate_level: int, cause: Cause
) -> None:
    cpu.ring(level)
    cpu.gate(0x8E | dpl(gate_level))
    if cause is Cause.SOFTWARE and gate_level < level:
        assert cpu.fault(cause) == (13, IDT_ERROR)
    else:
        assert cpu.deliver(cause)


def test_a_gate_that_is_not_present(cpu: Cpu) -> None:
    cpu.gate(0x0E)
    assert cpu.fault() == (11, IDT_ERROR)
    cpu.ring(3)
    assert cpu.fault(Cause.SOFTWARE) == (13, IDT_ERROR)  # its level is looked at first


@pytest.mark.parametrize(
    ("selector", "access", "fault"),
    [
        (0x0000, CODE, (13, 0)), (0x0003, CODE, (13, 0)),
        (OTHER, DATA, (13, OTHER)), (OTHER, 0x8B, (13, OTHER)), (OTHER | 3, DATA, (13, OTHER)),
        (OTHER, CODE & 0x7F, (11, OTHER)), (OTHER, CODE | dpl(1), (13, OTHER)),
        (0x80, CODE, (13, 0x80)), (0x24, CODE, (13, 0x24)), (0x0C, DATA, (13, 0x0C)),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_handlers_segment(
    cpu: Cpu, selector: int, access: int, fault: tuple[int, int]
) -> None:
    if selector & ~3 and selector not in {0x80, 0x24}:
        cpu.entry(selector, access)
    cpu.gate(selector=selector)
    assert cpu.fault() == fault


def test_a_handler_in_the_local_table(cpu: Cpu) -> None:
    cpu.entry(0x1C, CODE)
    cpu.gate(selector=0x1C)
    assert cpu.deliver()
    assert cpu.state.segments[CS].selector == 0x1C


@pytest.mark.parametrize("limit", [OTHER + 6, OTHER + 7])
def test_the_limit_of_the_gdt_counts(cpu: Cpu, limit: int) -> None:
    cpu.entry(OTHER, CODE)
    cpu.gate(selector=OTHER)
    cpu.state.segments[GDTR] = Segment(0, GDT, limit, 0)
    if limit == OTHER + 7:
        assert cpu.deliver()
    else:
        assert cpu.fault() == (13, OTHER)


@pytest.mark.parametrize(
    ("flags", "limit", "expected"),
    [(0x4, 0x12345, 0x12345), (0xC, 0x12345, 0x12345FFF), (0xC, 0, 0xFFF),
     (0xC, 0xFFFFF, 0xFFFFFFFF)],
)  # fmt: skip
def test_a_limit_in_pages_has_all_its_low_bits(
    cpu: Cpu, flags: int, limit: int, expected: int
) -> None:
    cpu.entry(OTHER, CODE, flags=flags, limit=limit)
    cpu.gate(selector=OTHER)
    assert cpu.deliver()
    assert cpu.state.segments[CS].limit == expected
    assert cpu.state.segments[CS].flags >> 20 & 0xF == flags


def test_the_base_of_a_segment_is_put_together(cpu: Cpu) -> None:
    cpu.memory.write(GDT + OTHER, descriptor(0xC00 | CODE, base=0xA1B2C3D4))
    cpu.gate(selector=OTHER)
    assert cpu.deliver()
    assert cpu.state.segments[CS].base == 0xA1B2C3D4


@pytest.mark.parametrize(
    ("access", "selector", "fault"),
    [
        (DATA, 0x30, None), (DATA | dpl(1), 0x30, (10, 0x30)), (0x91, 0x30, (10, 0x30)),
        (CODE, 0x30, (10, 0x30)), (0x83, 0x30, (10, 0x30)), (DATA & 0x7F, 0x30, (12, 0x30)),
        (DATA, 0x31, (10, 0x30)), (DATA, 0x00, (10, 0)), (DATA, 0x03, (10, 0)),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_inner_stack(
    cpu: Cpu, access: int, selector: int, fault: tuple[int, int] | None
) -> None:
    cpu.ring(3)
    cpu.entry(0x30, access)
    cpu.memory.write(TSS + 8, struct.pack("<I", selector))
    if fault is None:
        assert cpu.deliver()
    else:
        assert cpu.fault() == fault


@pytest.mark.parametrize(
    ("kind", "limit", "is_good"),
    [(0x8B, 0x0B, True), (0x8B, 0x0A, False), (0x89, 0x0B, True), (0x83, 0x05, True),
     (0x81, 0x05, True), (0x83, 0x04, False), (0x82, 0x67, False), (0x0B, 0x67, False)],
)  # fmt: skip
def test_task_state_segments_of_both_widths(cpu: Cpu, kind: int, limit: int, is_good: bool) -> None:
    cpu.ring(3)
    if not kind & 8:
        cpu.memory.write(TSS + 2, struct.pack("<HH", STACKS[1], 0x30))
    cpu.state.segments[TR] = Segment(0x58, TSS, limit, kind << 8)
    if is_good:
        assert cpu.deliver()
        assert cpu.state.generals[ESP] == STACKS[not kind & 8] - 20
    else:
        assert cpu.fault() == (10, 0x58)


# -- faults of faults ------------------------------------------------------------------------------

BENIGN, CONTRIBUTORY = (1, 3, 5, 6, 7, 9, 16), (0, 10, 11, 12, 13)


@pytest.mark.parametrize("first", [*BENIGN, *CONTRIBUTORY, 14, 8])
@pytest.mark.parametrize("second", [*CONTRIBUTORY[1:], 14])
def test_which_second_fault_makes_a_double_fault(cpu: Cpu, first: int, second: int) -> None:
    """SDM table 6-5."""
    raised: list[int] = []

    def load(_address: int, _size: int) -> int:
        if not raised:
            raised.append(second)
            raise GuestFault(second, 0x55, 0xABC if second == 14 else None)
        return original(_address, _size)

    linear: Any = cpu.linear
    original, linear.load = cpu.linear.load, load
    for vector in {second, 8}:
        cpu.gate(vector=vector)
    double = second in CONTRIBUTORY and first in CONTRIBUTORY
    double |= first == 14
    if first == 8:
        assert not cpu.deliver(Cause.EXCEPTION, vector=first)
        return
    assert cpu.deliver(Cause.EXCEPTION, vector=first)
    assert cpu.pushed(2) == ([0, 0x1234] if double else [0x55, 0x1234])
    assert cpu.state.controls[2] == (0xABC if second == 14 else 0)


@pytest.mark.parametrize("cause", [Cause.EXTERNAL, Cause.SOFTWARE])
def test_an_interrupt_that_faults_is_no_first_fault(cpu: Cpu, cause: Cause) -> None:
    cpu.gate(0x00, vector=13)  # an interrupt with the number of a contributory exception
    cpu.gate(vector=8)
    cpu.memory.write(IDT + 13 * 8, bytes(8))
    assert cpu.deliver(cause, vector=13)
    assert cpu.pushed(2) == [0, 0x1234]  # #GP of the interrupt, #GP of that: a double fault


def test_what_cannot_be_delivered_says_so(cpu: Cpu) -> None:
    cpu.state.long_mode = True
    with pytest.raises(UnsupportedError, match="0x30 in long mode"):
        cpu.deliver()
    cpu.state.long_mode, cpu.state.complete = False, False
    with pytest.raises(UnsupportedError, match="0x30 in protected mode"):
        cpu.deliver()


# -- real mode -------------------------------------------------------------------------------------


def real(cpu: Cpu, *, limit: int = 0x3FF, base: int = 0) -> None:
    cpu.state.controls[0] = 0x10
    cpu.state.eflags = 0x202 | TF | AC | RF
    cpu.state.segments[IDTR] = Segment(0, base, limit, 0)
    cpu.state.segments[CS] = Segment(0x1000, 0x10000, 0xFFFF, 0)
    cpu.state.segments[SS] = Segment(0x2000, 0x20000, 0xFFFF, 0)


@pytest.mark.parametrize("limit", [VECTOR * 4 + 2, VECTOR * 4 + 3])
@pytest.mark.parametrize("base", [0, 0x5000])
def test_the_vector_table_of_real_mode(cpu: Cpu, limit: int, base: int) -> None:
    real(cpu, limit=limit, base=base)
    cpu.memory.write(base + 4 * VECTOR, struct.pack("<HH", 0xABCD, 0xF000))
    if limit < VECTOR * 4 + 3:
        assert cpu.fault() == (13, VECTOR * 8 + 2)
        return
    assert cpu.deliver()
    assert cpu.pushed(3, 2, 0x20000) == [0x1234, 0x1000, (0x202 | TF) & 0xFFFF]
    assert cpu.state.segments[CS][:2] == (0xF000, 0xF0000)
    assert (cpu.state.eip, cpu.state.eflags) == (0xABCD, 2)


# -- linear addresses ------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0xFFFFFFFF, CLOSED])
def test_the_a20_gate_is_in_the_way_of_frames_and_tables(cpu: Cpu, mask: int) -> None:
    """Closed, an even megabyte is seen twice: 100000h is 0."""
    cpu.state.a20_mask = mask
    cpu.state.segments[SS] = cpu.state.segments[SS]._replace(base=0x100000)
    cpu.state.segments[GDTR] = Segment(0, 0x100000 + GDT, 0x7F, 0)
    if mask != CLOSED:
        cpu.memory.write(0x100000 + GDT, cpu.memory.read(GDT, 0x80))
    assert cpu.deliver()
    where, other = (0, 0x100000) if mask == CLOSED else (0x100000, 0)
    assert cpu.pushed(3, base=where) == [0x1234, KERNEL_CODE, 0x202]
    assert cpu.pushed(3, base=other) == [0, 0, 0]


def tables(cpu: Cpu, *, pae: bool, entry: int, directory: int = 3, at: int = 0x20000) -> None:
    """Map the first megabytes by 4 KiB pages, with ``entry`` for linear address 9000h."""
    size, letter, per_table = (8, "Q", 512) if pae else (4, "I", 1024)
    pages = [page << 12 | 3 for page in range(per_table)]
    pages[9] = entry
    cpu.memory.write(at + 0x2000, struct.pack(f"<{per_table}{letter}", *pages))
    cpu.memory.write(at + 0x1000, (at + 0x2000 | directory).to_bytes(size, "little"))
    cpu.memory.write(at, (at + 0x1000 | 1).to_bytes(8, "little"))
    cpu.state.controls |= {0: 0x80000011, 3: at if pae else at + 0x1000, 4: 0x20 if pae else 0}


@pytest.mark.parametrize("pae", [False, True])
@pytest.mark.parametrize(
    ("entry", "directory", "protect", "load", "write"),
    [
        (0x55003, 3, True, None, None), (0x55003, 3, False, None, None),
        (0x55001, 3, True, None, (14, 3)), (0x55001, 3, False, None, None),
        (0x55003, 1, True, None, (14, 3)), (0x55003, 1, False, None, None),
        (0x55002, 3, True, (14, 0), (14, 2)), (0x55003, 2, True, (14, 0), (14, 2)),
    ],
)  # fmt: skip
def test_pages(
    cpu: Cpu, pae: bool, entry: int, directory: int, protect: bool,
    load: tuple[int, int] | None, write: tuple[int, int] | None,
) -> None:  # fmt: skip
    tables(cpu, pae=pae, entry=entry, directory=directory)
    cpu.state.controls[0] |= 0x10000 if protect else 0
    cpu.memory.write(0x55100, b"here")
    for expected, access in (
        (load, lambda: cpu.linear.load(0x9100, 4)),
        (write, lambda: cpu.linear.write(0x9104, b"work")),
    ):
        if expected is None:
            access()
            continue
        with pytest.raises(GuestFault) as caught:
            access()
        fault = caught.value
        assert (fault.vector, fault.error_code, fault.address & ~7) == (*expected, 0x9100)
    if load is None:
        assert cpu.linear.load(0x9100, 4) == int.from_bytes(b"here", "little")
    assert cpu.memory.read(0x55104, 4) == (b"work" if write is None else bytes(4))


@pytest.mark.parametrize(
    ("cr4", "linear", "entry_at", "entry", "physical"),
    [
        (0x10, 0x00812345, 8, 0x00000083, 0x00012345),  # 4 MiB pages, CR4.PSE
        (0x10, 0x00B12345, 8, 0x00000083, 0x00112345 | 0x200000),
        (0x20, 0x00212345, 8, 0x00000083, 0x00012345),  # 2 MiB pages
        (0x20, 0x003FFFF0, 8, 0x00200083, 0x003FFFF0 & 0x1FFFFF | 0x200000),
    ],
)
def test_large_pages(
    cpu: Cpu, cr4: int, linear: int, entry_at: int, entry: int, physical: int
) -> None:
    cpu.memory.write(0x20000, struct.pack("<Q", 0x21001))
    cpu.memory.write(0x21000 + entry_at, struct.pack("<Q" if cr4 & 0x20 else "<I", entry))
    cpu.state.controls |= {0: 0x80000011, 3: 0x20000 if cr4 & 0x20 else 0x21000, 4: cr4}
    assert cpu.linear.physical(linear, write=False) == physical


def test_pse_36_reaches_above_4_gib(cpu: Cpu) -> None:
    cpu.memory.write(0x21000, struct.pack("<I", 0x00C00083 | 0x3 << 13))
    cpu.state.controls |= {0: 0x80000011, 3: 0x21000, 4: 0x10}
    assert cpu.linear.physical(0x1234, write=True) == 0x3_00C01234


@pytest.mark.parametrize("pae", [False, True])
def test_every_bit_of_a_page_table_entry_counts(cpu: Cpu, pae: bool) -> None:
    tables(cpu, pae=pae, entry=0xFEDCB003 | (0xA9_00000000 if pae else 0))
    assert cpu.linear.physical(0x9ABC, write=True) == 0xFEDCBABC | (0xA9_00000000 if pae else 0)
    other = 0x21 if pae else 0x2D  # another directory entry, linear addresses of its own
    size = 8 if pae else 4
    cpu.memory.write(0x21000 + other * size, (0x22003).to_bytes(size, "little"))
    linear = other << (21 if pae else 22) | 0x9ABC
    assert cpu.linear.physical(linear, write=True) & 0xFFFFFFFF == 0xFEDCBABC
    cpu.memory.write(0x21000, 0x01022003.to_bytes(size, "little"))  # a table where no memory is
    with pytest.raises(GuestFault):
        cpu.linear.physical(0x9ABC, write=True)


def test_without_pse_the_large_bit_means_nothing(cpu: Cpu) -> None:
    cpu.memory.write(0x21000, struct.pack("<I", 0x22083))
    cpu.memory.write(0x22000 + 4, struct.pack("<I", 0x55003))
    cpu.state.controls |= {0: 0x80000011, 3: 0x21000, 4: 0}
    assert cpu.linear.physical(0x1234, write=True) == 0x55234


@pytest.mark.parametrize("pae", [False, True])
def test_tables_and_pages_are_behind_the_a20_gate(cpu: Cpu, pae: bool) -> None:
    tables(cpu, pae=pae, entry=0x155003, at=0x20000)
    cpu.state.controls[3] |= 0x100000
    cpu.state.a20_mask = CLOSED
    cpu.linear.write(0x9100, b"here")
    assert cpu.memory.read(0x55100, 4) == b"here"
    assert cpu.linear.physical(0x9100, write=False) == 0x55100


def test_the_a20_gate_leaves_the_bits_above_4_gib(cpu: Cpu) -> None:
    tables(cpu, pae=True, entry=0x3_00155003)
    cpu.state.a20_mask = CLOSED
    assert cpu.linear.physical(0x9100, write=False) == 0x3_00055100


def test_an_access_across_two_pages_goes_to_both_or_none(cpu: Cpu) -> None:
    tables(cpu, pae=False, entry=0x55003)
    cpu.linear.write(0x8FFE, b"abcd")
    assert cpu.memory.read(0x8FFE, 2) + cpu.memory.read(0x55000, 2) == b"abcd"
    assert cpu.linear.load(0x8FFE, 4) == int.from_bytes(b"abcd", "little")
    tables(cpu, pae=False, entry=0)
    with pytest.raises(GuestFault) as caught:
        cpu.linear.write(0x8FFE, b"wxyz")
    assert caught.value.address == 0x9000
    assert cpu.memory.read(0x8FFE, 2) == b"ab"


@pytest.mark.parametrize("pae", [False, True])
@pytest.mark.parametrize(
    ("table", "limit"), [(IDTR, 8 * VECTOR + 7), (GDTR, 0x7F), (LDTR, 0x1F), (TR, 11)]
)
def test_a_table_may_end_where_memory_does(cpu: Cpu, pae: bool, table: int, limit: int) -> None:
    """What is read of a table is the entry alone: the page behind it may be absent."""
    tables(cpu, pae=pae, entry=0)  # linear 9000h
    cpu.entry(0x1C, CODE)  # the last one of the local table
    cpu.gate(selector=0x1C if table == LDTR else KERNEL_CODE)
    if table == GDTR:
        cpu.entry(0x78, CODE)
        cpu.gate(selector=0x78)
    if table == TR:
        cpu.ring(3)
        cpu.memory.write(TSS + 10, b"\xad\xde")  # reserved
    before = cpu.state.segments[table]
    at = 0x9000 - limit - 1
    cpu.memory.write(at, cpu.memory.read(before.base, limit + 1))
    cpu.state.segments[table] = before._replace(base=at, limit=limit)
    cpu.state.generals[ESP] = 0x7000
    assert cpu.deliver()
    assert (cpu.state.eip, cpu.state.cpl if table != TR else 0) == (HANDLER, 0)


def test_a_stack_may_begin_where_memory_does(cpu: Cpu) -> None:
    tables(cpu, pae=False, entry=0)
    cpu.state.generals[ESP] = 0xA00C
    assert cpu.deliver()
    assert cpu.pushed(3) == [0x1234, KERNEL_CODE, 0x202]
    cpu.state.generals[ESP] = 0xA008
    cpu.gate()
    assert cpu.fault() == (14, 2)
