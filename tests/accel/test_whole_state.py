"""All of a CPU, taken from one machine and put into another one, which goes on from there."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec
import pytest

from guestmap.accel import ExitReason, Segment, SegmentRegister, VcpuState
from guestmap.base import StateError, UnsupportedError
from tests.accel.guest import Guest
from tests.accel.known_builds import need_internals
from tests.accel.test_interrupts import GDT, IDT, TSS, descriptor, gate

pytestmark = pytest.mark.unicorn

STOP = b"\xe6\x90\xeb\x00"  # out 90h, al; jmp $+2: the test stops the machine there


@pytest.fixture(params=["unicorn", "unicorn-documented"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Guest, Guest]]:
    with Guest(request.param) as first, Guest(request.param) as second:
        first.on_port[0x90] = lambda _value: first.loop.stop()
        yield first, second


def moved(first: Guest, second: Guest) -> None:
    """Run until the port, and have the other machine go on from there."""
    assert first.run().reason is ExitReason.STOPPED
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(first.vcpu.save()), type=VcpuState)
    second.memory.write(0, first.memory.read(0, 0x10000))
    second.vcpu.load(state)
    assert second.vcpu.save() == state


def test_general_registers_and_flags(pair: tuple[Guest, Guest]) -> None:
    first, second = pair
    # stc; out; jc +2; ud2; pushf; pop eax; mov [3000h], eax; mov [3004h], ebx; hlt
    code = b"\xf9" + STOP + b"\x72\x02\x0f\x0b\x9c\x58\xa3\x00\x30\0\0\x89\x1d\x04\x30\0\0\xf4"
    first.flat(code, ebx=0xDEADBEEF, esi=7, edi=0xFFFFFFFF)
    moved(first, second)
    assert second.register("esi") == 7
    assert second.run().reason is ExitReason.HALTED
    assert second.memory.load(0x3000, 4) & 0xD7 == 3  # carry, and nothing else
    assert second.memory.load(0x3004, 4) == 0xDEADBEEF


def test_registers_that_only_a_64_bit_guest_sees() -> None:
    """They stay while it is in other modes; so do the upper halves."""
    with Guest("unicorn") as guest:
        need_internals(guest.accelerator)
        guest.flat(b"\xf4")
        state = guest.vcpu.save()
        state.general = [0x1122_3344_0000_1000 + n for n in range(16)]
        state.vectors = [(0x77 << 120 | n).to_bytes(16, "little") for n in range(16)]
        guest.vcpu.load(state)
        found = guest.vcpu.save()
        assert (found.general, found.vectors) == (state.general, state.vectors)


def test_the_floating_point_unit_and_sse(pair: tuple[Guest, Guest]) -> None:
    first, second = pair
    first.memory.write(0x3000, struct.pack("<d4I", 1.5, 1, 2, 3, 4))
    first.flat(
        # mov eax, cr4; or eax, 200h; mov cr4, eax; fldpi; fld qword [3000h]; movdqu xmm3, [3008h]
        b"\x0f\x20\xe0\x0d\x00\x02\0\0\x0f\x22\xe0\xd9\xeb\xdd\x05\x00\x30\0\0"
        b"\xf3\x0f\x6f\x1d\x08\x30\0\0" + STOP +
        # faddp; fstp qword [3100h]; paddd xmm3, xmm3; movdqu [3108h], xmm3; hlt
        b"\xde\xc1\xdd\x1d\x00\x31\0\0\x66\x0f\xfe\xdb\xf3\x0f\x7f\x1d\x08\x31\0\0\xf4"
    )  # fmt: skip
    moved(first, second)
    assert second.run().reason is ExitReason.HALTED
    result = struct.unpack("<d4I", second.memory.read(0x3100, 24))
    assert result == (pytest.approx(4.641592653589793), 2, 4, 6, 8)


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_debug_registers(pair: tuple[Guest, Guest], number: int) -> None:
    first, second = pair
    # mov dr<number>, eax; out; mov ebx, dr<number>; mov [3000h], ebx; hlt
    code = bytes((0x0F, 0x23, 0xC0 | number << 3)) + STOP
    code += bytes((0x0F, 0x21, 0xC3 | number << 3)) + b"\x89\x1d\x00\x30\0\0\xf4"
    first.flat(code, eax=0x1234_5670 + number)
    moved(first, second)
    assert second.run().reason is ExitReason.HALTED
    assert second.memory.load(0x3000, 4) == 0x1234_5670 + number


def test_hidden_segment_parts(pair: tuple[Guest, Guest]) -> None:
    """A descriptor that is not in its table any more goes on to count; so does its size."""
    first, second = pair
    first.memory.write(0x2010, b"\x5a")
    first.memory.write(GDT, bytes(24) + descriptor(0x93, 0xFF, 0x2000))
    code = (
        b"\xb8\x18\0\0\0\x8e\xe8" + STOP + b"\x65\xa0\x10\0\0\0\xe6\x80\xf4"
    )  # mov gs; mov al, gs
    first.flat(code)
    first.vcpu.write_segment(SegmentRegister.GDTR, Segment(0, GDT, 0x1F))
    moved(first, second)
    second.memory.write(GDT, bytes(0x20))
    assert second.run().reason is ExitReason.HALTED
    assert second.value() == [0x5A]


@pytest.mark.parametrize("register", [SegmentRegister.DS, SegmentRegister.ES])
def test_a_flat_program_with_one_segment_that_is_not(
    pair: tuple[Guest, Guest], register: SegmentRegister
) -> None:
    first, second = pair
    first.memory.write(0x2010, b"\x5a")
    prefix = b"\x26" if register is SegmentRegister.ES else b""
    first.flat(STOP + prefix + b"\xa0\x10\0\0\0\xe6\x80\xf4")  # mov al, [10h]; out 80h, al
    first.vcpu.write_segment(register, Segment(0x10, 0x2000, 0xFFFF, 0x00CF9300))
    moved(first, second)
    assert second.run().reason is ExitReason.HALTED
    assert second.value() == [0x5A]


@pytest.mark.parametrize("iopl", [0, 1, 2, 3])
def test_a_privilege_that_is_taken_away_later_is_gone(pair: tuple[Guest, Guest], iopl: int) -> None:
    """A user with IOPL 3 calls a handler that takes it away: CLI is a fault from then on."""
    first, second = pair
    first.memory.write(GDT, bytes(8) + b"".join(map(descriptor, (0xC9B, 0xC93, 0xCFB, 0xCF3))))
    first.memory.write(TSS, struct.pack("<III", 0, 0x7800, 0x10) + bytes(0x5A) + b"\x68\0")
    first.memory.write(IDT, gate(0x2800, 0xEE) * 13 + gate(0x2900, 0xEE) + gate(0x2800, 0xEE) * 20)
    frame = (~0x3000 & 0xFFFFFFFF | iopl << 12).to_bytes(4, "little")
    # and dword [esp+8], ..; iret: and the handler of #GP: mov al, 13; out 80h, al; hlt
    first.memory.write(0x2800, b"\x81\x64\x24\x08" + frame + b"\xcf")
    first.memory.write(0x2900, b"\xb0\x0d\xe6\x80\xf4")
    words = (0x23, 0x7000, 0x3002, 0x1B, 0x101A)  # of the frame: SS, ESP, EFLAGS, CS, EIP
    enter = b"".join(b"\x68" + word.to_bytes(4, "little") for word in words) + b"\xcf"
    first.flat(enter + STOP + b"\xcd\x20\xfa\xb0\x77\xe6\x80\xf4")  # int 20h; cli; mov al; out; hlt
    first.vcpu.write_segment(SegmentRegister.GDTR, Segment(0, GDT, 0x27))
    first.vcpu.write_segment(SegmentRegister.IDTR, Segment(0, IDT, 0x10F))
    first.vcpu.write_segment(SegmentRegister.TR, Segment(0x50, TSS, 0x160, 0x8B00))
    moved(first, second)
    assert second.run().reason is ExitReason.HALTED
    assert second.value() == ([0x77, 13] if iopl == 3 else [13])


def test_paging(pair: tuple[Guest, Guest]) -> None:
    first, second = pair
    first.memory.write(0x4000, struct.pack("<I", 0x5003))
    first.memory.write(0x5000, b"".join(struct.pack("<I", page << 12 | 3) for page in range(64)))
    first.memory.write(0x5000 + 0x20 * 4, struct.pack("<I", 0x2003))  # 20000h shows 2000h
    first.memory.write(0x2000, b"\x77")
    # mov eax, 4000h; mov cr3, eax; mov eax, cr0; or eax, 80000000h; mov cr0, eax; out; mov al, []
    code = b"\xb8\x00\x40\0\0\x0f\x22\xd8\x0f\x20\xc0\x0d\0\0\0\x80\x0f\x22\xc0" + STOP
    first.flat(code + b"\xa0\x00\x00\x02\x00\xe6\x80\xf4")
    moved(first, second)
    assert second.run().reason is ExitReason.HALTED
    assert second.value() == [0x77]


def test_an_interrupt_that_another_cpu_accepted_comes_first(pair: tuple[Guest, Guest]) -> None:
    """Its controller has ended the acknowledge cycle, and offers the next one."""
    first, second = pair
    for vector in (0x20, 0x21):
        first.vector(vector, 0x2000 + 16 * (vector - 0x20))
        handler = b"\xb0" + bytes((vector,)) + b"\xe6\x80\xcf"  # mov al, vector; out 80h; iret
        first.memory.write(0x2000 + 16 * (vector - 0x20), handler)
    first.real(b"\xfb" + STOP + b"\xf4" * 3 + b"\xfa\xf4")
    assert first.run().reason is ExitReason.STOPPED
    state = first.vcpu.save()
    state.accepted = 0x20
    second.memory.write(0, first.memory.read(0, 0x10000))
    second.vcpu.load(state)
    assert second.vcpu.save() == state
    second.line.vectors.append(0x21)
    second.loop.observe_halts(second.loop.stop)
    assert second.run().reason is ExitReason.STOPPED
    assert second.value() == [0x20, 0x21]
    assert second.vcpu.save().accepted is None


def test_a_halted_cpu_waits_on(pair: tuple[Guest, Guest]) -> None:
    first, second = pair
    first.vector(0x20, 0x2000)
    first.memory.write(0x2000, b"\xe6\x80\xfa\xf4")
    first.real(b"\xfb\xf4", eax=0x33)
    first.loop.observe_halts(first.loop.stop)
    moved(first, second)
    second.line.vectors.append(0x20)
    assert second.run().reason is ExitReason.HALTED
    assert second.value() == [0x33]
    assert second.register("eip") == 0x2004


def test_no_interrupt_comes_right_after_sti() -> None:
    with Guest("unicorn") as guest:
        guest.vector(0x20, 0x2000)
        guest.memory.write(0x2000, b"\xe6\x80\xfa\xf4")
        guest.real(b"\x40\xfa\xf4")  # inc ax; cli; hlt
        state = guest.vcpu.save()
        state.rflags |= 1 << 9
        state.shadow = True
        guest.vcpu.load(state)
        guest.line.vectors.append(0x20)
        guest.run()
        assert guest.value() == [1]


def test_the_a20_gate(pair: tuple[Guest, Guest]) -> None:
    first, second = pair
    first.memory.write(0x3000, b"\x11")
    first.memory.write(0x103000, b"\x22")
    first.on_port[0x92] = lambda value: first.vcpu.set_a20(bool(value & 2))
    first.flat(b"\x31\xc0\xe6\x92" + STOP + b"\xa0\x00\x30\x10\0\xe6\x80\xf4")
    moved(first, second)
    second.memory.write(0x103000, b"\x22")
    assert second.run().reason is ExitReason.HALTED
    assert second.value() == [0x11]


def test_long_mode_goes_from_engine_to_engine_where_both_have_it() -> None:
    with Guest("unicorn") as first, Guest("unicorn-documented") as other:
        need_internals(first.accelerator)
        first.flat(b"\xf4")
        state = first.vcpu.save()
        state.msrs[0xC0000080] = 0x500
        with pytest.raises(UnsupportedError, match="long mode"):
            other.vcpu.load(state)


def test_what_runs_is_not_saved(pair: tuple[Guest, Guest]) -> None:
    first, _ = pair
    refused = []

    def save(_value: int) -> None:
        with pytest.raises(StateError, match="runs"):
            first.vcpu.save()
        refused.append(True)

    first.on_port[0x90] = save
    first.flat(STOP + b"\xf4")
    first.run()
    assert refused


def test_without_hidden_state_nothing_is_saved() -> None:
    with Guest(hidden_state=False) as guest, pytest.raises(UnsupportedError, match="registers"):
        guest.vcpu.save()


def test_without_a_cpu_there_is_nothing_to_save() -> None:
    with Guest("none") as guest:
        assert guest.vcpu.save() is None


def test_a_state_that_no_cpu_has_is_refused() -> None:
    with Guest("unicorn") as guest:
        guest.real(b"\xf4")
        for field in VcpuState.__struct_fields__:
            content = msgspec.to_builtins(guest.vcpu.save())
            content[field] = "nonsense"
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert(content, VcpuState)


def test_registers_of_another_kind_of_cpu_are_left_alone(pair: tuple[Guest, Guest]) -> None:
    first, second = pair
    first.flat(b"\x90" + STOP + b"\xf4")
    assert first.run().reason is ExitReason.STOPPED
    state = first.vcpu.save()
    assert state is not None
    more = msgspec.structs.replace(
        state,
        control=state.control | {1: 5, 99: 7},
        debug=state.debug | {4: 5, 99: 7},
        msrs=state.msrs | {0xDEAD_0000: 1},
    )
    second.memory.write(0, first.memory.read(0, 0x10000))
    second.vcpu.load(more)
    assert second.vcpu.save() == state
    assert second.run().reason is ExitReason.HALTED
