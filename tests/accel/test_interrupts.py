"""Interrupts and exceptions, in real and in protected mode."""

from __future__ import annotations

import struct

import pytest

from guestmap.accel import ExitReason, Segment, SegmentRegister
from guestmap.base import ManualClock
from tests.accel.guest import CODE, ROM_SIZE, STACK, Guest, later

HLT = b"\xf4"
HANDLER, IDT, GDT, TSS = 0x2000, 0x4000, 0x5000, 0x5800
DE, UD, DF, NP, GP, PF = 0, 6, 8, 11, 13, 14


def le32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def descriptor(flags: int, limit: int = 0xFFFFF, base: int = 0) -> bytes:
    """Return a GDT entry; ``flags`` are its bits 40-47 and, above 8, 52-55."""
    return struct.pack(
        "<HHBBBB", limit & 0xFFFF, base & 0xFFFF, base >> 16 & 0xFF, flags & 0xFF,
        limit >> 16 | flags >> 4 & 0xF0, base >> 24,
    )  # fmt: skip


def gate(offset: int, kind: int = 0x8E, selector: int = 8) -> bytes:
    return struct.pack("<HHBBH", offset & 0xFFFF, selector, 0, kind, offset >> 16)


def protected(guest: Guest, code: bytes, **registers: int) -> None:
    """Flat protected mode with a GDT (8 code, 16 data, 0x1B/0x23 ring 3, 0x28 TSS) and an IDT."""
    guest.flat(code, **registers)
    table = (
        bytes(8) + descriptor(0xC9B) + descriptor(0xC93) + descriptor(0xCFB) + descriptor(0xCF3)
        + descriptor(0x089, 0x67, TSS) + descriptor(0xC13)
    )  # fmt: skip
    guest.memory.write(GDT, table)
    guest.memory.write(TSS + 4, struct.pack("<II", 0x7000, 16))
    guest.vcpu.write_segment(SegmentRegister.GDTR, Segment(0, GDT, len(table) - 1))
    guest.vcpu.write_segment(SegmentRegister.IDTR, Segment(0, IDT, 0x7FF))
    guest.vcpu.write_segment(SegmentRegister.TR, Segment(0x28, TSS, 0x67, 0x8B00))


def set_gate(guest: Guest, vector: int, code: bytes, kind: int = 0x8E) -> None:
    """Point a gate at a handler of its own."""
    at = HANDLER + vector * 0x40
    guest.memory.write(at, code)
    guest.memory.write(IDT + vector * 8, gate(at, kind))


# -- real mode -------------------------------------------------------------------------------------


def test_a_software_interrupt_in_real_mode(guest):
    seen = []
    guest.vcpu.observe_software_interrupts(seen.append)
    guest.vector(0x10, 0x2000)
    guest.memory.write(0x2000, b"\x9c\x58\xe7\x81\xb0\x77\xcf")  # pushf; pop ax; out; mov al; iret
    guest.real(b"\xfb\xb4\x0e\xcd\x10\xe6\x80\x9c\x58\xe7\x82\xf4")  # sti; mov ah, 14; int 10h; ...
    guest.loop.observe_halts(guest.loop.stop)
    guest.run()
    assert guest.value() == [0x77]
    assert guest.value(0x81)[0] & 0x300 == 0  # IF and TF are off in the handler
    assert guest.value(0x82)[0] & 0x200  # and back after it
    assert guest.register("esp") == STACK
    if guest.accelerator.name == "unicorn":  # a processor tells nobody
        assert [(e.vector, e.eax >> 8 & 0xFF, e.eip, e.real_mode) for e in seen] == [
            (0x10, 0x0E, CODE + 5, True)
        ]


def test_the_real_mode_stack_frame_is_flags_cs_and_ip(guest):
    guest.vector(0x21, 0x2000)
    guest.memory.write(0x2000, b"\xf4")
    guest.real(b"\xf9\xcd\x21")  # stc; int 21h
    guest.run()
    ip, cs, flags = struct.unpack("<HHH", guest.memory.read(STACK - 6, 6))
    assert (ip, cs, flags & 1) == (CODE + 3, 0, 1)


def test_a_real_mode_stack_that_wraps(guest):
    guest.vector(0x21, 0x2000)
    guest.memory.write(0x2000, b"\xf4")
    guest.real(b"\xcd\x21", esp=2)
    guest.run()
    assert guest.register("esp") == 0xFFFC
    assert guest.memory.load(0xFFFC, 2) == CODE + 2  # IP
    assert guest.memory.load(0, 2) & 2  # FLAGS


@pytest.mark.parametrize(("vector", "code", "length"), [(3, b"\xcc", 1), (6, b"\xcd\x06", 2)])
def test_int3_and_int_6_return_behind_the_instruction(guest, vector, code, length):
    guest.vector(vector, 0x2000)
    guest.memory.write(0x2000, b"\xf4")
    guest.real(code)
    guest.run()
    assert guest.memory.load(STACK - 6, 2) == CODE + length


def test_an_invalid_opcode_returns_to_the_instruction(guest):
    guest.vector(UD, 0x2000)
    guest.memory.write(0x2000, b"\xf4")
    guest.real(b"\x90\x0f\x0b")  # nop; ud2
    guest.run()
    assert guest.memory.load(STACK - 6, 2) == CODE + 1


def test_six_divide_errors_are_six_divide_errors(guest):
    """Unicorn takes the second for a double fault, unless it is told that the first is over."""
    guest.vector(DE, 0x2000)
    guest.vector(DF, 0x2100)
    # handler: push bp; mov bp, sp; add word [bp+2], 2; pop bp; out 0x80, al; iret
    guest.memory.write(0x2000, b"\x55\x89\xe5\x83\x46\x02\x02\x5d\xe6\x80\xcf")
    guest.memory.write(0x2100, b"\xe6\x81\xf4")
    guest.real(b"\x31\xc9" + b"\xf7\xf1" * 6 + b"\xf4")  # xor cx, cx; div cx, six times
    assert guest.run().reason is ExitReason.HALTED
    assert (len(guest.value()), guest.value(0x81)) == (6, [])
    if guest.accelerator.name == "unicorn":  # a processor delivers them unseen
        assert guest.accelerator.statistics().exceptions == 6


def test_a_vector_table_that_is_too_short_is_a_shutdown(guest):
    guest.real(b"\xcd\x21")
    guest.vcpu.write_segment(SegmentRegister.IDTR, Segment(0, 0, 3))
    end = guest.run()
    assert end.reason is ExitReason.SHUTDOWN
    assert "triple fault" in end.message


# -- protected mode --------------------------------------------------------------------------------


def test_six_protection_faults_with_their_error_codes(guest):
    protected(guest, b"\xb8\x53\x00\x00\x00" + b"\x8e\xd8" * 6 + b"\xf4")  # mov ds, 0x53 (no such)
    # handler: pop eax; out 0x80, eax; add dword [esp], 2; iret
    set_gate(guest, GP, b"\x58\xe7\x80\x83\x04\x24\x02\xb8\x53\x00\x00\x00\xcf")
    set_gate(guest, DF, b"\xe6\x81\xf4")
    assert guest.run().reason is ExitReason.HALTED
    assert guest.value() == [0x50] * 6
    assert guest.value(0x81) == []


@pytest.mark.parametrize(("kind", "flag"), [(0x8E, 0), (0x8F, 0x200)])
def test_an_interrupt_gate_turns_interrupts_off_and_a_trap_gate_does_not(guest, kind, flag):
    protected(guest, b"\xfb\xcd\x40\xf4")  # sti; int 40h
    set_gate(guest, 0x40, b"\x9c\x58\xe7\x80\xfa\xf4", kind)  # pushf; pop eax; out; cli; hlt
    guest.run()
    assert guest.value()[0] & 0x200 == flag


def test_a_16_bit_gate_pushes_words(guest):
    protected(guest, b"\xcd\x40\xf4")
    set_gate(guest, 0x40, b"\xf4", 0x86)
    guest.run()
    assert guest.register("esp") == STACK - 6
    assert guest.memory.load(STACK - 6, 4) == 8 << 16 | CODE + 2


RING_3 = (
    b"\x66\xb8\x23\x00\x8e\xd8\x8e\xc0"  # mov ax, 0x23; mov ds, ax; mov es, ax
    b"\x6a\x23\x68\x00\x60\x00\x00\x9c\x6a\x1b\x68" + le32(CODE + 0x40) + b"\xcf"
    # push 0x23; push 0x6000; pushf; push 0x1b; push CODE+0x40; iret
)


def test_an_interrupt_in_ring_3_switches_to_the_stack_of_the_task(guest):
    protected(guest, RING_3.ljust(0x40, b"\x90") + b"\xcd\x40\xeb\xfe")
    set_gate(guest, 0x40, b"\x8c\xd0\xe7\x80\x8c\xc8\xe7\x80\xf4", 0xEE)  # mov eax, ss; out; cs
    guest.run()
    assert [value & 0xFFFF for value in guest.value()] == [16, 8]
    frame = struct.unpack("<IIIII", guest.memory.read(0x7000 - 20, 20))
    assert (frame[0], frame[1], frame[3], frame[4]) == (CODE + 0x42, 0x1B, 0x6000, 0x23)


def test_ring_3_may_not_call_a_gate_of_ring_0(guest):
    protected(guest, RING_3.ljust(0x40, b"\x90") + b"\xcd\x40\xeb\xfe")
    set_gate(guest, 0x40, b"\xe6\x81\xf4", 0x8E)
    set_gate(guest, GP, b"\x58\xe7\x80\xf4")
    guest.run()
    assert guest.value() == [0x40 * 8 + 2]
    assert guest.value(0x81) == []


def test_an_iret_goes_back_to_ring_3(guest):
    protected(guest, RING_3.ljust(0x40, b"\x90") + b"\xcd\x40\xcd\x41")
    set_gate(guest, 0x40, b"\xcf", 0xEE)
    set_gate(guest, 0x41, b"\x8b\x04\x24\xe7\x80\xf4", 0xEE)  # mov eax, [esp]; out 0x80, eax
    guest.run()
    assert guest.value() == [CODE + 0x44]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (gate(HANDLER, 0x0E), (NP, 0x40 * 8 + 2)),  # not present
        (gate(HANDLER, 0x8C), (GP, 0x40 * 8 + 2)),  # a call gate
        (gate(HANDLER, 0x8E, 0), (GP, 0)),  # null selector
        (gate(HANDLER, 0x8E, 16), (GP, 16)),  # data segment
        (gate(HANDLER, 0x8E, 0x100), (GP, 0x100)),  # beyond the GDT
        (gate(HANDLER, 0x8E, 0x30), (GP, 0x30)),  # data that is not even present
    ],
)
def test_what_is_wrong_with_a_gate_is_told(guest, entry, expected):
    protected(guest, b"\xcd\x40\xf4")
    for vector in (GP, NP):
        set_gate(guest, vector, b"\x58\xe7\x80\xb0" + bytes((vector,)) + b"\xe6\x81\xf4")
    guest.memory.write(IDT + 0x40 * 8, entry)
    guest.run()
    assert (guest.value(0x81)[0], guest.value()[0]) == expected


def test_a_fault_during_the_delivery_of_a_fault_is_a_double_fault(guest):
    protected(guest, b"\x31\xc9\xf7\xf1")  # div by zero; its gate is not present
    set_gate(guest, DF, b"\x58\xe7\x80\xf4")
    assert guest.run().reason is ExitReason.HALTED
    assert guest.value() == [0]


def test_no_gate_at_all_is_a_triple_fault(guest):
    protected(guest, b"\x31\xc9\xf7\xf1")
    end = guest.run()
    assert end.reason is ExitReason.SHUTDOWN
    assert end.message.startswith("triple fault")
    if guest.accelerator.name == "unicorn":  # the kernel has it in reset already
        assert end.message.endswith(" at 0008:00001002")
    guest.flat(b"\xf4")
    assert guest.run().reason is ExitReason.HALTED


def test_a_task_gate_is_an_error_that_says_so(guest):
    protected(guest, b"\xcd\x40\xf4")
    guest.memory.write(IDT + 0x40 * 8, gate(0, 0x85, 0x28))
    if guest.accelerator.capabilities.long_mode:
        pytest.skip("the library itself switches tasks here: see test_internals.py")
    end = guest.run()
    assert end.reason is ExitReason.ERROR
    assert "vector 0x40 is a task gate" in end.message


# -- paging ----------------------------------------------------------------------------------------

PAGE_DIRECTORY, PAGE_TABLE = 0x10000, 0x11000
PAGING_ON = (
    b"\xb8" + le32(PAGE_DIRECTORY) + b"\x0f\x22\xd8"  # mov cr3, PAGE_DIRECTORY
    b"\x0f\x20\xc0\x0d\x00\x00\x01\x80\x0f\x22\xc0"  # or cr0, PG | WP
)


def identity_map(guest: Guest, *, missing: int | None = None) -> None:
    entries = [page << 12 | 3 for page in range(1024)]
    if missing is not None:
        entries[missing >> 12] = 0
    guest.memory.write(PAGE_TABLE, struct.pack("<1024I", *entries))
    guest.memory.write(PAGE_DIRECTORY, struct.pack("<I", PAGE_TABLE | 3))


def test_a_page_fault_has_its_error_code_and_address(guest):
    identity_map(guest, missing=0x9000)
    protected(guest, PAGING_ON + b"\xc6\x05" + le32(0x9123) + b"\x01\xf4")
    set_gate(guest, PF, b"\x58\xe7\x80\x0f\x20\xd0\xe7\x80\xf4")  # pop eax; out; mov eax, cr2; out
    assert guest.run().reason is ExitReason.HALTED
    assert guest.value() == [2, 0x9123]


def test_a_stack_that_is_not_there_is_a_double_fault_on_another_one(guest):
    identity_map(guest, missing=0x9000)
    protected(guest, PAGING_ON + b"\xbc" + le32(0x9800) + b"\x50\xf4")  # mov esp; push eax
    set_gate(guest, PF, b"\xe6\x81\xf4")
    assert guest.run().reason is ExitReason.SHUTDOWN


def test_memory_may_be_remapped_while_paging_is_on(guest):
    identity_map(guest)
    extra = guest.system.ram("over", 0x1000)
    extra.buffer[0:3] = b"\xb0\x02\xc3"
    guest.memory.write(0xA000, b"\xb0\x01\xc3")  # mov al, 1; ret
    guest.on_port[0x81] = lambda value: guest.root.add_subregion(0xA000, extra, 1)
    call = b"\xbe\x00\xa0\x00\x00\xff\xd6\xe6\x80"  # mov esi, 0xa000; call esi; out 0x80, al
    protected(guest, PAGING_ON + call + b"\xe6\x81\xeb\x00" + call + b"\xf4")
    guest.run()
    assert guest.value() == [1, 2]
    assert guest.register("cr2") == 0


def test_the_map_may_change_where_addresses_are_translated(guest):
    """Pages stay where the tables say, before the change and after it."""
    identity_map(guest)
    guest.memory.write(PAGE_TABLE + 0xB * 4, struct.pack("<I", 0xA003))
    guest.memory.write(0xA000, b"\x5a")
    guest.on_port[0x81] = lambda value: guest.root.add_subregion(
        0x400000, guest.system.ram("more", 0x1000)
    )
    look = b"\xa0" + le32(0xB000) + b"\xe6\x80"
    protected(guest, PAGING_ON + look + b"\xe6\x81\xeb\x00" + look + b"\xf4")
    assert guest.run().reason is ExitReason.HALTED
    assert guest.value() == [0x5A, 0x5A]


def test_code_may_be_overwritten_while_paging_is_on(guest):
    identity_map(guest)
    guest.memory.write(0xA000, b"\xb0\x01\xc3")
    guest.on_port[0x81] = lambda value: guest.memory.write(0xA001, b"\x02")
    call = b"\xbe\x00\xa0\x00\x00\xff\xd6\xe6\x80"
    protected(guest, PAGING_ON + call + b"\xe6\x81\xeb\x00" + call + b"\xf4")
    guest.run()
    assert guest.value() == [1, 2]


@pytest.mark.parametrize("vector", [0x40, 6])
def test_code_may_be_overwritten_after_an_interrupt_with_paging_on(guest, vector):
    """What delivery pushes is no news to translated code; what a device writes later is."""
    identity_map(guest)
    guest.memory.write(0xA000, b"\xb0\x01\xc3")
    guest.on_port[0x81] = lambda value: guest.memory.write(0xA001, b"\x02")
    call = b"\xbe\x00\xa0\x00\x00\xff\xd6\xe6\x80"
    protected(
        guest, PAGING_ON + call + b"\xcd" + bytes([vector]) + b"\xe6\x81\xeb\x00" + call + HLT
    )
    set_gate(guest, vector, b"\xcf")
    guest.run()
    assert guest.value() == [1, 2]


@pytest.mark.parametrize("is_open", [True, False])
def test_the_a20_gate_is_in_the_way_of_interrupt_frames(guest, is_open):
    """With the gate closed, a stack at an odd megabyte is the one a megabyte below."""
    if not guest.accelerator.capabilities.a20:
        pytest.skip("the engine has no A20 gate")
    guest.on_port[0x92] = lambda value: guest.vcpu.set_a20(is_open)
    protected(guest, b"\xe6\x92\xeb\x00\xcd\x40\xf4", esp=0x109000)
    set_gate(guest, 0x40, b"\x8b\x04\x24\xe7\x80\xf4")  # mov eax, [esp]; out 0x80, eax; hlt
    guest.run()
    assert guest.value() == [CODE + 6]
    frame = [guest.memory.load(at + 0x9000 - 12, 4) for at in (0, 0x100000)]
    assert frame == ([0, CODE + 6] if is_open else [CODE + 6, 0])


# -- hardware interrupts ---------------------------------------------------------------------------


def interrupt_after(guest: Guest, vector: int, delay_ns: int = 2_000_000) -> None:
    def fire() -> None:
        guest.line.vectors.append(vector)
        guest.loop.interrupts_changed()

    guest.clock.timer(fire).arm(guest.clock.now_ns() + delay_ns)


def test_an_interrupt_ends_a_halt(guest):
    halts = []
    guest.loop.observe_halts(lambda: halts.append(len(guest.ports)))
    guest.vector(0x20, 0x2000)
    guest.memory.write(0x2000, b"\xe6\x81\xcf")  # out 0x81, al; iret
    guest.real(b"\xfb\xf4\xe6\x80\xfa\xf4")  # sti; hlt; out 0x80, al; cli; hlt
    interrupt_after(guest, 0x20)
    assert guest.run().reason is ExitReason.HALTED
    assert [port for port, _, _ in guest.ports] == [0x81, 0x80]
    assert halts == [0, 2]
    assert guest.accelerator.statistics().interrupts == 1


def test_an_interrupt_breaks_into_a_loop(guest):
    guest.vector(0x20, 0x2000)
    guest.memory.write(0x2000, b"\xfa\xf4")  # cli; hlt
    guest.real(b"\xfb\xeb\xfe")  # sti; jmp $
    interrupt_after(guest, 0x20)
    assert guest.run().reason is ExitReason.HALTED


def test_another_thread_may_raise_the_line(guest):
    guest.vector(0x20, 0x2000)
    guest.memory.write(0x2000, b"\xfa\xf4")

    def fire() -> None:
        guest.line.vectors.append(0x20)
        guest.loop.interrupts_changed()

    guest.real(b"\xfb\xeb\xfe")
    later(fire)
    assert guest.run().reason is ExitReason.HALTED


def test_an_interrupt_waits_for_sti_and_for_one_instruction_more(guest):
    guest.vector(0x20, 0x2000)
    guest.memory.write(0x2000, b"\x89\xd8\xe7\x80\xcf")  # mov ax, bx; out 0x80, ax; iret
    guest.on_port[0x90] = lambda value: (
        guest.line.vectors.append(0x20),
        guest.loop.interrupts_changed(),
    )
    # out 0x90, al; inc bx, three times; sti; inc bx; inc bx; cli; hlt
    guest.real(b"\xe6\x90\x43\x43\x43\xfb\x43\x43\xfa\xf4", ebx=0)
    assert guest.run().reason is ExitReason.HALTED
    assert guest.value() == [4]


@pytest.mark.not_on_kvm("a processor takes it before either")
def test_an_interrupt_does_not_come_between_mov_ss_and_mov_sp(guest):
    guest.vector(0x20, 0x2000)
    guest.memory.write(0x2000, b"\x89\xe0\xe7\x80\xfa\xf4")  # mov ax, sp; out; cli; hlt
    guest.on_port[0x90] = lambda value: (
        guest.line.vectors.append(0x20),
        guest.loop.interrupts_changed(),
    )
    # sti; xor ax, ax; out 0x90, al; mov ss, ax; mov sp, 0x7000; jmp $
    guest.real(b"\xfb\x31\xc0\xe6\x90\x8e\xd0\xbc\x00\x70\xeb\xfe")
    guest.run()
    assert guest.value() == [0x7000 - 6]


def test_a_line_that_drops_again_interrupts_nobody(guest):
    guest.vector(0xFF, 0x2000)
    guest.vector(0x20, 0x2000)
    guest.memory.write(0x2000, b"\xe6\x81\xcf")
    guest.on_port[0x90] = lambda value: (
        guest.line.vectors.append(0x20),
        guest.loop.interrupts_changed(),
    )
    guest.on_port[0x91] = lambda value: (
        guest.line.vectors.clear(),
        guest.loop.interrupts_changed(),
    )
    # out 0x90; jmp; out 0x91; jmp; sti; nop; nop; cli; hlt
    guest.real(b"\xe6\x90\xeb\x00\xe6\x91\xeb\x00\xfb\x90\x90\xfa\xf4")
    assert guest.run().reason is ExitReason.HALTED
    assert guest.value(0x81) == []
    assert guest.accelerator.statistics().interrupts == 0


def test_two_interrupts_are_taken_one_after_the_other(guest):
    for number, code in ((0x20, 0x2000), (0x21, 0x2010)):
        guest.vector(number, code)
        guest.memory.write(code, b"\xb0" + bytes((number,)) + b"\xe6\x80\xcf")
    guest.on_port[0x90] = lambda value: (
        guest.line.vectors.extend((0x20, 0x21)), guest.loop.interrupts_changed()
    )  # fmt: skip
    guest.real(b"\xfb\xe6\x90\xeb\x00\x90\x90\x90\xfa\xf4")  # sti; out 0x90, al; ...; cli; hlt
    guest.run()
    assert guest.value() == [0x20, 0x21]


def test_an_interrupt_in_ring_3_protected_mode(guest):
    code = RING_3.replace(b"\x9c\x6a\x1b", b"\x68\x02\x02\x00\x00\x6a\x1b")  # push 0x202: IF
    protected(guest, code.ljust(0x40, b"\x90") + b"\xeb\xfe")
    set_gate(guest, 0x20, b"\x8c\xd0\xe7\x80\x8b\x44\x24\x04\xe7\x80\xf4")  # ss; [esp+4]
    interrupt_after(guest, 0x20)
    assert guest.run().reason is ExitReason.HALTED
    assert [value & 0xFFFF for value in guest.value()] == [16, 0x1B]


def test_an_interrupt_with_paging_on(guest):
    identity_map(guest)
    protected(guest, PAGING_ON + b"\xfb\xeb\xfe")
    set_gate(guest, 0x20, b"\xe6\x80\xfa\xf4")
    interrupt_after(guest, 0x20)
    assert guest.run().reason is ExitReason.HALTED
    assert len(guest.value()) == 1


def test_a_halt_with_interrupts_off_ends_the_run_and_the_next(guest):
    guest.real(b"\xfa\xf4\x90")
    assert guest.run().reason is ExitReason.HALTED
    assert guest.run().reason is ExitReason.HALTED
    assert guest.register("eip") == CODE + 2


def test_a_stopped_halt_goes_on_halting(guest):
    guest.real(b"\xfb\xf4\xe6\x80\xfa\xf4")
    for _ in range(3):
        later(guest.loop.stop, 0.002)
        assert guest.run().reason is ExitReason.STOPPED
    assert guest.ports == []


def test_a_thousand_timer_interrupts(guest):
    guest.vector(0x20, 0x2000)
    guest.memory.write(0x2000, b"\x43\xcf")  # inc bx; iret
    count = 0

    def fire() -> None:
        nonlocal count
        count += 1
        if count == 1000:
            guest.loop.stop()
        guest.line.vectors.append(0x20)
        guest.loop.interrupts_changed()
        timer.arm(guest.clock.now_ns() + 100_000)

    timer = guest.clock.timer(fire)
    timer.arm(0)
    guest.real(b"\xfb\xf4\xeb\xfd", ebx=0)  # sti; again: hlt; jmp again
    guest.run()
    timer.cancel()
    taken = guest.accelerator.statistics().interrupts
    assert taken + len(guest.line.vectors) == 1000
    assert guest.register("ebx") & 0xFFFF in {taken, taken - 1}


def test_a_clock_that_is_turned_by_hand_wakes_the_guest():
    clock = ManualClock()
    with Guest("unicorn", clock) as guest:
        guest.vector(0x20, 0x2000)
        guest.memory.write(0x2000, b"\xfa\xf4")
        guest.real(b"\xfb\xf4\xeb\xfd")
        interrupt_after(guest, 0x20, 10**12)
        later(lambda: clock.advance(10**12))
        assert guest.run().reason is ExitReason.HALTED


def test_virtual_8086_mode_enters_ring_0_with_its_segments_on_the_stack(guest):
    # push gs, fs, ds, es, ss, esp, eflags (VM, IOPL 3), cs, eip; iret
    frame = (0, 0, 0x111, 0x222, 0x300, 0x800, 0x23002, 0x100, 0x40)
    # It starts at linear 1000h, so that 0100:0040 is linear 1040h.
    code = b"".join(b"\x68" + le32(value) for value in frame) + b"\xcf"
    protected(guest, code.ljust(0x40, b"\x90") + b"\xcd\x40")
    set_gate(guest, 0x40, b"\xf4", 0xEE)
    assert guest.run().reason is ExitReason.HALTED
    stack = struct.unpack("<9I", guest.memory.read(0x7000 - 36, 36))
    assert stack[0:2] == (0x42, 0x100)
    assert stack[2] & 0x20000
    assert stack[3:9] == (0x800, 0x300, 0x222, 0x111, 0, 0)


@pytest.mark.parametrize(
    "options", [{"internals": True}, {"internals": False}, {"hidden_state": False}]
)
def test_a_cpu_knows_the_level_of_its_pin_that_it_was_given(options):
    """Else its run loop is told of each change, so that it leaves and is given it."""
    with Guest(**options) as guest:
        known = []

        def change(_value: int) -> None:
            known.append(guest.vcpu.knows_interrupts())
            guest.line.vectors.append(0x20)
            known.append(guest.vcpu.knows_interrupts())
            guest.line.vectors.clear()
            known.append(guest.vcpu.knows_interrupts())

        guest.on_port[0x90] = change
        guest.memory.write(CODE, b"\xe6\x90\xf4")
        if guest.accelerator.capabilities.reset_vector:
            guest.real(b"\xe6\x90\xf4")
        else:
            bios = guest.system.alias("bios", guest.rom, 0, ROM_SIZE)
            guest.root.add_subregion(0xF0000, bios, 1)
            guest.rom.buffer[ROM_SIZE - 16 : ROM_SIZE - 11] = b"\xea\x00\x10\x00\x00"
            guest.loop.reset()
        assert guest.run().reason is ExitReason.HALTED
        tells = "hidden_state" not in options
        assert known == [tells, False, tells]
        assert not guest.vcpu.knows_interrupts()


def wrmsr(number: int, value: int) -> bytes:
    """Return code that writes an MSR: mov ecx, number; mov eax, value; xor edx, edx; wrmsr."""
    return b"\xb9" + le32(number) + b"\xb8" + le32(value) + b"\x31\xd2\x0f\x30"


SYSENTER = b"\x0f\x34"
RING_3_AT_3000 = b"".join(b"\x68" + le32(word) for word in (0x23, 0x6000, 2, 0x1B, 0x3000))


def test_sysenter_goes_from_ring_3_to_ring_0(guest):
    setup = b"".join(
        wrmsr(number, value) for number, value in ((0x174, 8), (0x175, 0x5000), (0x176, 0x3080))
    )
    protected(guest, setup + RING_3_AT_3000 + b"\xcf")  # iret
    guest.memory.write(0x3000, SYSENTER)
    # cli, which only ring 0 may; mov eax, cs; out 0x80, eax; mov eax, ss; out 0x81, eax; mov eax,
    # esp; out 0x82, eax; hlt
    guest.memory.write(0x3080, b"\xfa\x8c\xc8\xe7\x80\x8c\xd0\xe7\x81\x89\xe0\xe7\x82\xf4")

    assert guest.run().reason is ExitReason.HALTED
    assert [guest.value(port) for port in (0x80, 0x81, 0x82)] == [[8], [16], [0x5000]]


def test_sysenter_in_ring_3_is_a_protection_fault_where_it_leads_nowhere(guest):
    # pop eax; out 0x80, eax; pop eax; out 0x81, eax; hlt: error code, and where it was
    set_gate(guest, GP, b"\x58\xe7\x80\x58\xe7\x81\xf4")
    protected(guest, RING_3_AT_3000 + b"\xcf")
    guest.memory.write(0x3000, SYSENTER)

    assert guest.run().reason is ExitReason.HALTED
    assert (guest.value(), guest.value(0x81)) == ([0], [0x3000])
