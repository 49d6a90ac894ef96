"""System management mode: what a CPU sees in it and out of it, and what becomes of odd SMBASEs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guestmap.accel import ExitReason, Register, SegmentRegister
from guestmap.memory import MemoryRegionOps
from tests.accel.conftest import KVM
from tests.accel.guest import DEVICE, ROM_BASE, Guest, later

pytestmark = pytest.mark.unicorn

SMI, HERE = b"\xe6\xb2\xeb\x00", b"\xe6\x80"  # out B2h, al; jmp $+2; and out 80h, al
RSM, HLT = b"\x0f\xaa", b"\xf4"
SMRAM, LATCH = 0xA0000, 0xD0000000
HANDLER, SAVED = 0x8000, 0xFE00
SAVED_SMBASE, SAVED_RBX = 0xFF00, 0xFFE0


class Smm(Guest):
    """The machine, with SMRAM that shows at A0000h in the mode alone, and RAM below."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.smram = self.system.ram("smram", 0x20000)
        root = self.system.container("smm", 1 << 64)
        root.add_subregion(0, self.system.alias("everything", self.root, 0, 1 << 64))
        root.add_subregion(SMRAM, self.smram, 1)
        latch = self.system.io("latch", 4, MemoryRegionOps(read=lambda _at, _size: 0x5A))
        root.add_subregion(LATCH, latch, 1)
        self.smm = self.vcpu.smm_memory = self.system.address_space("cpu-smm-0", root)
        self.on_port[0xB2] = lambda _value: self.vcpu.raise_smi()

    def handler(self, code: bytes, base: int = 0x30000) -> None:
        self.smm.write(base + HANDLER, code)

    def move_to(self, base: int) -> None:
        """Have SMBASE be elsewhere, by the handler."""
        move = b"\x2e\x66\xc7\x06" + SAVED_SMBASE.to_bytes(2, "little")  # mov dword [cs:..], base
        self.handler(move + base.to_bytes(4, "little") + RSM)
        self.flat(SMI + HLT)
        assert self.run().reason is ExitReason.HALTED
        self.ports.clear()


@pytest.fixture(params=["unicorn", "unicorn-documented", KVM])
def guest(request: pytest.FixtureRequest) -> Iterator[Smm]:
    elsewhere = request.node.get_closest_marker("not_on_kvm")
    if elsewhere is not None and request.param == "kvm":
        pytest.skip(elsewhere.args[0])
    with Smm(request.param) as machine:
        if not machine.accelerator.capabilities.smm:
            pytest.skip("the engine has no system management mode on this host")
        yield machine


def test_smram_is_seen_in_the_mode_alone(guest):
    guest.memory.write(SMRAM, b"\x11")
    guest.smm.write(SMRAM, b"\x22")
    look = b"\x66\xbe" + SMRAM.to_bytes(4, "little") + b"\x67\x8a\x06" + HERE  # mov al, [esi]
    store = b"\x67\xc6\x06\x33"  # mov byte [esi], 33h
    guest.handler(look + store + RSM)
    flat = b"\xbe" + SMRAM.to_bytes(4, "little") + b"\x8a\x06" + HERE
    guest.flat(flat + SMI + flat + HLT)
    assert guest.run().reason is ExitReason.HALTED
    assert guest.value() == [0x11, 0x22, 0x11]
    assert guest.memory.read(SMRAM, 1) == b"\x11"
    assert guest.smm.read(SMRAM, 1) == b"\x33"


def test_a_device_that_shows_in_the_mode_alone(guest):
    read = b"\x66\xbe" + LATCH.to_bytes(4, "little") + b"\x67\x8a\x06" + HERE  # mov al, [esi]
    guest.handler(read + RSM)
    flat = b"\xbe" + LATCH.to_bytes(4, "little") + b"\x8a\x06" + HERE
    guest.flat(flat + SMI + flat + HLT)
    assert guest.run().reason is ExitReason.HALTED
    outside, inside, again = guest.value()
    assert inside == 0x5A
    assert outside == again != 0x5A


def test_code_in_smram_is_not_the_code_below_it(guest):
    guest.move_to(SMRAM)
    guest.handler(b"\xb0\x02" + HERE + RSM, SMRAM)
    guest.memory.write(SMRAM + HANDLER, b"\xb0\x01" + HERE + b"\xc3")  # mov al, 1; out; ret
    call = b"\xb8" + (SMRAM + HANDLER).to_bytes(4, "little") + b"\xff\xd0"  # call eax
    start = guest.vcpu.save().smbase
    guest.memory.write(0x1000, (call + SMI) * 2 + call + HLT)
    guest.vcpu.write_register(Register.EIP, 0x1000)
    assert start == SMRAM
    assert guest.run().reason is ExitReason.HALTED
    assert guest.value() == [1, 2, 1, 2, 1]


def test_an_smi_in_the_mode_waits_for_its_end_and_several_are_one(guest):
    guest.handler(
        b"\x2e\xfe\x06\x00\x87\x2e\xa0\x00\x87"
        + HERE  # inc byte [cs:8700h]; mov al, it
        + b"\x3c\x01\x75\x08"
        + SMI * 2
        + RSM
    )  # cmp al, 1; jne; two SMIs; rsm
    guest.flat(SMI + HERE + HLT, eax=0x77)
    assert guest.run().reason is ExitReason.HALTED
    assert guest.value() == [1, 2, 0x77]


def test_an_smi_wakes_a_cpu_that_halts(guest):
    guest.handler(b"\xb0\x05" + HERE + RSM)
    guest.line.vectors.clear()
    guest.flat(b"\xfb\xf4\xb0\x06" + HERE + b"\xfa\xf4")  # sti; hlt; mov al, 6; out; cli; hlt
    halts = [lambda: later(guest.vcpu.raise_smi)]  # not before: it would be taken before HLT
    guest.loop.observe_halts(lambda: halts.pop()() if halts else None)
    assert guest.run().reason is ExitReason.HALTED
    assert guest.value() == [5, 6]


def test_a_reset_ends_the_mode(guest):
    guest.move_to(0x50000)
    guest.handler(HLT, 0x50000)
    guest.vcpu.raise_smi()
    guest.flat(HLT)  # with a reset, which forgets the SMI and SMBASE
    assert guest.run().reason is ExitReason.HALTED
    guest.handler(b"\xb0\x09" + HERE + HLT)
    guest.flat(SMI + HLT)
    assert guest.run().reason is ExitReason.HALTED
    assert (guest.vcpu.in_smm, guest.value()) == (True, [9])
    guest.memory.write(SMRAM, b"\x11")
    guest.flat(b"\xa0" + SMRAM.to_bytes(4, "little") + HERE + HLT)
    assert guest.run().reason is ExitReason.HALTED
    assert (guest.vcpu.in_smm, guest.value()[-1]) == (False, 0x11)


@pytest.mark.parametrize(
    "base", [DEVICE, ROM_BASE - 0x8000, 0x40000000, 0xFFFF8000, SMRAM - 0x8000]
)
def test_no_smbase_ends_anything_but_the_guest(guest, base):
    guest.move_to(base)
    guest.vcpu.raise_smi()
    guest.vcpu.write_register(Register.EIP, 0x1000)
    later(guest.loop.stop, 0.1)
    end = guest.run()
    ends = {ExitReason.STOPPED, ExitReason.SHUTDOWN, ExitReason.HALTED}
    if guest.accelerator.name == "kvm":  # the kernel emulates no code in a device
        ends.add(ExitReason.ERROR)
    assert end.reason in ends


def test_what_the_handler_begins_with(guest):
    guest.handler(HLT)
    guest.flat(SMI + HLT)
    guest.run()
    segment = guest.vcpu.read_segment(SegmentRegister.CS)
    assert segment == (0x3000, 0x30000, 0xFFFFFFFF, 0x809300)
    assert guest.vcpu.read_segment(SegmentRegister.DS) == (0, 0, 0xFFFFFFFF, 0x809300)
    assert guest.register("eip") == HANDLER + 1
    assert guest.register("eflags") == 2


# AMD64 Architecture Programmer's Manual, volume 2, table 10-1: where the hidden parts are saved.
_PLACES = {
    SegmentRegister.ES: 0xFE00, SegmentRegister.CS: 0xFE10, SegmentRegister.SS: 0xFE20,
    SegmentRegister.DS: 0xFE30, SegmentRegister.FS: 0xFE40, SegmentRegister.GS: 0xFE50,
    SegmentRegister.GDTR: 0xFE60, SegmentRegister.LDTR: 0xFE70, SegmentRegister.IDTR: 0xFE80,
    SegmentRegister.TR: 0xFE90,
}  # fmt: skip


@pytest.mark.not_on_kvm("its save area is the kernel's")
@pytest.mark.parametrize("register", list(_PLACES))
def test_each_segment_is_saved_with_its_hidden_part(guest, register):
    guest.handler(RSM)
    guest.flat(SMI + HLT)
    before = guest.vcpu.read_segment(register)
    odd = before._replace(limit=before.limit - 0x1001)
    if register not in {SegmentRegister.CS, SegmentRegister.SS}:  # it runs there
        odd = odd._replace(base=0x12340)
    if register is SegmentRegister.TR:
        odd = odd._replace(selector=0x40, flags=0x8900)
    odd = odd._replace(flags=odd.flags & ~0xF0000)  # those bits are in the limit
    guest.vcpu.write_segment(register, odd)
    assert guest.run().reason is ExitReason.HALTED
    at = 0x30000 + _PLACES[register]
    assert guest.smm.load(at + 4, 4) == odd.limit
    assert guest.smm.load(at + 8, 8) == odd.base
    if register not in {SegmentRegister.GDTR, SegmentRegister.IDTR}:
        assert guest.smm.load(at, 2) == odd.selector
        assert guest.smm.load(at + 2, 2) == odd.flags >> 8
    assert guest.vcpu.read_segment(register) == odd


def test_a_cpu_in_the_mode_is_saved_in_it(guest):
    guest.handler(b"\xb0\x01" + b"\xe6\x90" + b"\xb0\x02" + HERE + RSM)
    guest.on_port[0x90] = lambda _value: guest.loop.stop()
    guest.flat(SMI + HERE + HLT, eax=0x42)
    assert guest.run().reason is ExitReason.STOPPED
    state = guest.vcpu.save()
    assert (state.smm, state.smi, state.smbase) == (True, False, 0x30000)
    guest.loop.reset()
    assert not guest.vcpu.in_smm
    guest.vcpu.load(state)
    assert guest.run().reason is ExitReason.HALTED
    assert guest.value() == [2, 0x42]


def test_rsm_with_prefixes_and_an_invalid_instruction_in_the_mode(guest):
    guest.vector(6, 0x6000)
    # add word [esp], 2; mov al, 6; out 80h, al; iret, as a handler of #UD
    guest.memory.write(0x6000, b"\x67\x83\x04\x24\x02\xb0\x06" + HERE + b"\xcf")
    idt = b"\x2e\x0f\x01\x1e\x00\x87"  # lidt [cs:8700h]
    guest.smm.write(0x38700, b"\xff\x03\0\0\0\0")
    guest.handler(b"\xbc\x00\x50" + idt + b"\x0f\x0b\x2e\x66" + RSM)  # mov sp; lidt; ud2; rsm
    guest.flat(SMI + HERE + HLT, eax=0x21)
    assert guest.run().reason is ExitReason.HALTED
    assert guest.value() == [6, 0x21]


def test_without_the_mode_nothing_happens(guest):
    guest.vcpu.smm_memory = None
    guest.flat(SMI + HERE + HLT, eax=3)
    assert guest.run().reason is ExitReason.HALTED
    assert guest.value() == [3]
