"""A vCPU's registers between KVM's structures and the architecture's terms."""

from __future__ import annotations

from struct import Struct, pack_into, unpack_from
from typing import TYPE_CHECKING

from guestmap.accel.kvm.abi import GET_REGS, GET_SREGS, SET_REGS, SET_SREGS
from guestmap.accel.types import Register, Segment, SegmentRegister

if TYPE_CHECKING:
    from guestmap.accel.kvm.kernel import Handle
    from guestmap.accel.kvm.run_page import RunPage

GENERAL = (
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
)  # fmt: skip
"""The general registers in the order of ``struct kvm_regs``."""

_PLACES = {name: 8 * index for index, name in enumerate((*GENERAL, "rip", "rflags"))}
_SEGMENTS = {
    SegmentRegister.CS: 0, SegmentRegister.DS: 24, SegmentRegister.ES: 48, SegmentRegister.FS: 72,
    SegmentRegister.GS: 96, SegmentRegister.SS: 120, SegmentRegister.TR: 144,
    SegmentRegister.LDTR: 168,
}  # fmt: skip
_TABLES = {SegmentRegister.GDTR: 192, SegmentRegister.IDTR: 208}
CONTROL = {0: 224, 2: 232, 3: 240, 4: 248, 8: 256}
"""Control registers by number: where they are in ``struct kvm_sregs``."""

EFER_AT = 264
_CR = {Register.CR0: 0, Register.CR2: 2, Register.CR3: 3, Register.CR4: 4}
# base, limit, selector, type, present, dpl, db, s, l, g, avl, unusable
_SEGMENT = Struct("<QIHBBBBBBBBBx")
_TABLE = Struct("<QH6x")
_U32 = 0xFFFF_FFFF


class Registers:
    """A copy of a vCPU's registers: :meth:`load` it, change it, :meth:`save` it.

    Args:
        vcpu: its descriptor.
        page: what it shares with the kernel.

    Attributes:
        in_page: whether the page has them, as they were when KVM_RUN returned, and still are.
    """

    def __init__(self, vcpu: Handle, page: RunPage) -> None:
        self.in_page = False
        self._vcpu = vcpu
        self._page = page
        self.general = bytearray(GET_REGS.size)
        self.special = bytearray(GET_SREGS.size)

    def load(self) -> None:
        """Copy from the vCPU, which must not run."""
        if self.in_page:
            self.general[:], self.special[:] = self._page.registers()
            return
        self._vcpu.call(GET_REGS, self.general)
        self._vcpu.call(GET_SREGS, self.special)

    def save(self) -> None:
        """Copy to the vCPU, which must not run."""
        self.in_page = False
        self._vcpu.call(SET_SREGS, self.special)
        self._vcpu.call(SET_REGS, self.general)

    def __getitem__(self, name: str) -> int:
        return int(unpack_from("<Q", self.general, _PLACES[name])[0])

    def __setitem__(self, name: str, value: int) -> None:
        pack_into("<Q", self.general, _PLACES[name], value)

    def instruction(self) -> tuple[int, int]:
        """Return CS's selector and the instruction pointer, as the vCPU has them now."""
        self.load()
        return self.segment(SegmentRegister.CS).selector, self["rip"]

    def control(self, number: int) -> int:
        """Return a control register."""
        return int(unpack_from("<Q", self.special, CONTROL[number])[0])

    def set_control(self, number: int, value: int) -> None:
        """Set a control register."""
        pack_into("<Q", self.special, CONTROL[number], value)

    @property
    def efer(self) -> int:
        """The extended features that are on."""
        return int(unpack_from("<Q", self.special, EFER_AT)[0])

    @efer.setter
    def efer(self, value: int) -> None:
        pack_into("<Q", self.special, EFER_AT, value)

    def read(self, register: Register) -> int:
        """Return the low 32 bits of a register."""
        if register in _CR:
            return self.control(_CR[register]) & _U32
        return self[_wide(register)] & _U32

    def write(self, register: Register, value: int) -> None:
        """Set a register; its upper half is 0 then."""
        if register in _CR:
            self.set_control(_CR[register], value & _U32)
        elif register is Register.EFLAGS:
            self["rflags"] = value & _U32 | 2
        else:
            self[_wide(register)] = value & _U32

    def segment(self, register: SegmentRegister) -> Segment:
        """Return a segment register with its hidden part."""
        if register in _TABLES:
            base, limit = _TABLE.unpack_from(self.special, _TABLES[register])
            return Segment(0, base, limit)
        fields = _SEGMENT.unpack_from(self.special, _SEGMENTS[register])
        base, limit, selector, kind, present, dpl, big, code_or_data, long, pages, own, _ = fields
        flags = (
            kind << 8 | code_or_data << 12 | dpl << 13 | present << 15
            | own << 20 | long << 21 | big << 22 | pages << 23
        )  # fmt: skip
        return Segment(selector, base, limit, flags)

    def set_segment(self, register: SegmentRegister, segment: Segment) -> None:
        """Set a segment register and its hidden part."""
        selector, base, limit, flags = segment
        if register in _TABLES:
            _TABLE.pack_into(self.special, _TABLES[register], base, limit)
            return
        present = flags >> 15 & 1
        _SEGMENT.pack_into(
            self.special, _SEGMENTS[register], base, limit, selector, flags >> 8 & 15, present,
            flags >> 13 & 3, flags >> 22 & 1, flags >> 12 & 1, flags >> 21 & 1, flags >> 23 & 1,
            flags >> 20 & 1, 1 - present,
        )  # fmt: skip


def _wide(register: Register) -> str:
    if register is Register.EFLAGS:
        return "rflags"
    return f"r{register.value[1:]}"
