"""What follows from a CPU's registers, beside what the library itself makes of them."""

from __future__ import annotations

import struct

import pytest

from guestmap.accel import ExitReason, Segment, SegmentRegister
from guestmap.accel.unicorn.modes import HF_SHADOW, derived_mode
from tests.accel.guest import CODE, Guest
from tests.accel.known_builds import need_internals
from tests.accel.test_interrupts import GDT, TSS, descriptor

pytestmark = pytest.mark.unicorn

STOP = b"\xe6\x90"  # out 90h, al: the test stops the machine there
CODE_32, DATA, ELSEWHERE, CODE_16, DATA_16, USER_CODE, USER_DATA = (
    8,
    0x10,
    0x18,
    0x20,
    0x28,
    0x33,
    0x3B,
)
DS, ES, SS, FS = 0xD8, 0xC0, 0xD0, 0xE0  # the second byte of mov <segment>, ax
KEPT = ~(1 << 2 | 1 << 13 | 1 << 18 | 3 << 24)  # of hflags: what no register says
VM_FLAGS = 0x23202


def load(register: int, selector: int) -> bytes:
    return b"\x66\xb8" + selector.to_bytes(2, "little") + b"\x8e" + bytes((register,))


def far(selector: int, ahead: int = 7) -> bytes:
    """Return a far jump to what comes after it, seen from ``CODE``."""
    return b"\xea" + struct.pack("<IH", CODE + ahead, selector)


def iret(*words: int) -> bytes:
    """Return code that pushes words and takes them by IRET."""
    return b"".join(b"\x68" + struct.pack("<I", word) for word in words) + b"\xcf"


USER = iret(USER_DATA, 0x7000, 0x3202, USER_CODE, CODE + 26)
VIRTUAL = iret(0, 0, 0, 0, 0, 0x7000, VM_FLAGS, 0, CODE + 46)
PROGRAMS = {
    "flat": far(CODE_32),
    "a data segment elsewhere": load(DS, ELSEWHERE),
    "an extra segment elsewhere": load(ES, ELSEWHERE),
    "a stack elsewhere": load(SS, ELSEWHERE),
    "FS elsewhere": load(FS, ELSEWHERE),
    "a narrow stack": load(SS, DATA_16),
    "narrow code": far(CODE_16),
    "narrow code and data elsewhere": load(DS, ELSEWHERE) + far(CODE_16, 13),
    "a user": USER,
    "virtual 8086": VIRTUAL,
    "write protection and TS": b"\x0f\x20\xc0\x0d\x0a\0\x01\0\x0f\x22\xc0",  # or cr0, 1000Ah
    "SSE": b"\x0f\x20\xe0\x0d\x00\x02\0\0\x0f\x22\xe0",  # or cr4, 200h
}


@pytest.mark.parametrize("name", ["real", *PROGRAMS])
def test_the_mode_is_the_librarys_own(name: str) -> None:
    with Guest("unicorn") as guest:
        need_internals(guest.accelerator)
        guest.on_port[0x90] = lambda _value: guest.loop.stop()
        table = [
            bytes(8), descriptor(0xC9B), descriptor(0xC93), descriptor(0xC93, 0xFFFFF, 0x10000),
            descriptor(0x09B), descriptor(0x093), descriptor(0xCFB), descriptor(0xCF3),
        ]  # fmt: skip
        guest.memory.write(GDT, b"".join(table))
        guest.memory.write(TSS, bytes(0x66) + b"\x68\0" + bytes(0x100))
        guest.memory.write(0x18000 - 0x100, bytes(0x100))
        if name == "real":
            guest.real(STOP)
        else:
            guest.flat(PROGRAMS[name] + STOP)
        guest.vcpu.write_segment(SegmentRegister.GDTR, Segment(0, GDT, 0x3F))
        guest.vcpu.write_segment(SegmentRegister.TR, Segment(0x50, TSS, 0x160, 0x8B00))
        assert guest.run().reason is ExitReason.STOPPED, guest.ports
        state = guest.vcpu.cpu.state
        state.load()
        whole = state.hflags & ~HF_SHADOW
        mode = derived_mode(state, 0, state.eflags)
        assert mode == whole & KEPT, f"{mode:#x}, {whole:#x}"
