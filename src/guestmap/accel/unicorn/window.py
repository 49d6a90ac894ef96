"""Hardware interrupts, taken by Unicorn itself at the first instruction that allows it.

Unicorn has no way to raise INTR, and tells nobody when a guest sets IF: a pending interrupt that
finds interrupts off would have to be tried again and again. But the library keeps one interrupt
request that a program can reach: the virtual interrupt of SVM. A VMRUN with V_IRQ set in its
control block leaves the request standing in the CPU; the CPU honours it like INTR (IF set, no
interrupt shadow), delivers it natively in every mode, and reads the vector from the control block
at that moment. So:

* :meth:`InterruptWindow.arm` runs a few instructions of the engine's own, in a state of their
  own, that end in such a VMRUN, and puts the guest's state back;
* the control block that the guest's state names is a device page: the read of the vector is the
  interrupt acknowledge cycle.

Field offsets: AMD64 Architecture Programmer's Manual, volume 2, appendix B ("Layout of VMCB").
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from guestmap.accel.types import Segment
from guestmap.accel.unicorn.binding import uc_api
from guestmap.accel.unicorn.blob_state import BlobState
from guestmap.accel.unicorn.layout import SCRATCH, Layout
from guestmap.accel.unicorn.state import CS, EAX, ESP, GDTR, IDTR, IF, SS
from guestmap.base import UnsupportedError

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable, Iterator

_PAGE = 0x1000
_STUB, _ARM_BLOCK, _DISARM_BLOCK, _SAVE_AREA, _TABLES, _ACKNOWLEDGE = (
    SCRATCH + i * _PAGE for i in range(6)
)
_CODE = b"\x0f\x01\xd8".ljust(0x40, b"\xf4")  # vmrun; then hlt wherever it goes
_GUEST_EIP, _HANDLER_EIP = 0x20, 0x30
_GDT, _IDT, _STACK_TOP = _TABLES, _TABLES + 0x100, _TABLES + _PAGE
_VECTOR = 0x20

_CONTROL_INT_CTL, _CONTROL_INT_VECTOR = 0x60, 0x64
_V_IRQ = 1 << 8
_SAVE_ES, _SAVE_CS, _SAVE_SS, _SAVE_DS = 0x400, 0x410, 0x420, 0x430
_SAVE_EFER, _SAVE_CR0, _SAVE_RFLAGS, _SAVE_RIP = 0x4D0, 0x558, 0x570, 0x578
_EFER = 1 << 8 | 1 << 10 | 1 << 12  # LME, LMA, SVME
_CODE_ATTRIBUTES, _DATA_ATTRIBUTES = 0x29B, 0x93  # the former with L: 64-bit code

_HF_CS32, _HF_SS32, _HF_PE, _HF_LMA, _HF_CS64, _HF_SVME = (
    1 << 4, 1 << 5, 1 << 7, 1 << 14, 1 << 15, 1 << 20,
)  # fmt: skip
_PROTECTED_MODE = 0x11
_CODE_SELECTOR = 8
_CODE_64 = Segment(_CODE_SELECTOR, SCRATCH, 0xFFFFFFFF, 0x00AF9B00)
_STACK = Segment(16, 0, 0xFFFFFFFF, 0x00CF9300)


class InterruptWindow:
    """The interrupt request of one CPU.

    Args:
        uc: an instance in its initial state, with nothing mapped at ``SCRATCH``.
        layout: of its saved contexts.
        acknowledge: called when the CPU takes the interrupt; returns the vector.

    Raises:
        UnsupportedError: this build of Unicorn does not do it.
    """

    def __init__(self, uc: Any, layout: Layout, acknowledge: Callable[[], int]) -> None:
        self._uc = uc
        self._acknowledge = acknowledge
        self.armed = False
        self._request: ctypes.c_uint32 | None = None
        self._bit = 0
        uc.mem_map(_STUB, 5 * _PAGE)
        uc.mem_write(_STUB, _CODE)
        uc.mem_write(_ARM_BLOCK, _control_block())
        uc.mem_write(_DISARM_BLOCK + _CONTROL_INT_VECTOR, bytes((_VECTOR,)))
        uc.mem_write(_TABLES, _descriptor_tables())
        uc.mmio_map(_ACKNOWLEDGE, _PAGE, self._read_block, None, _ignore, None)
        self._arm_state = self._stub_state(layout)
        self._block_offset = self._find_block_offset(layout)
        self._disarm_state = self._stub_state(layout)
        self._disarm_state.set_u64(layout.eflags, IF | 2)
        self._disarm_state.set_u64(self._block_offset, _DISARM_BLOCK)
        self._try_out()

    def use(self, request: ctypes.c_uint32 | None, bit: int) -> None:
        """Raise the request in the CPU's own word for it from now on; None: by running code."""
        self._request, self._bit = request, bit

    def arm(self, guest: BlobState) -> None:
        """Raise the request. The CPU must not run, and its state be loaded in ``guest``."""
        guest.set_u64(self._block_offset, _ACKNOWLEDGE)
        if self._request is not None:
            self._request.value |= self._bit
        else:
            self._run_stub(self._arm_state, 0, guest)
        self.armed = True

    def disarm(self, guest: BlobState) -> None:
        """Take the request back, before the guest took the interrupt: the stub takes it."""
        guest.set_u64(self._block_offset, _ACKNOWLEDGE)
        if self._request is not None:
            self._request.value &= ~self._bit
        else:
            self._run_stub(self._disarm_state, _GUEST_EIP, guest)
        self.armed = False

    @contextmanager
    def answered_by(self, acknowledge: Callable[[], int]) -> Iterator[None]:
        """Have another one run the acknowledge cycle for the length of a ``with``."""
        before, self._acknowledge = self._acknowledge, acknowledge
        try:
            yield
        finally:
            self._acknowledge = before

    def _run_stub(self, stub: BlobState, eip: int, guest: BlobState) -> None:
        image = guest.image()
        stub.save()
        self._uc.emu_start(eip, 0)
        guest.restore(image)
        flush_tlb(self._uc)

    def _read_block(self, _uc: Any, offset: int, _size: int, _data: object) -> int:
        if offset != _CONTROL_INT_VECTOR:
            return 0
        self.armed = False
        return self._acknowledge() & 0xFF

    def _stub_state(self, layout: Layout) -> BlobState:
        """Return a state in 64-bit mode with paging off, where addresses are physical."""
        stub = BlobState(self._uc, layout)
        stub.set_control(0, _PROTECTED_MODE)
        stub.set_segment(CS, _CODE_64)
        stub.set_segment(SS, _STACK)
        stub.set_table(GDTR, _GDT, 0xFF)
        stub.set_table(IDTR, _IDT, 0xFFF)
        stub.hflags |= _HF_PE | _HF_CS32 | _HF_SS32 | _HF_LMA | _HF_CS64 | _HF_SVME
        stub.set_u64(layout.registers + 8 * EAX, _ARM_BLOCK)
        stub.set_u64(layout.registers + 8 * ESP, _STACK_TOP)
        stub.set_u64(layout.eflags, 2)
        stub.set_u64(layout.hsave, _SAVE_AREA)
        return stub

    def _find_block_offset(self, layout: Layout) -> int:
        """Find where the CPU keeps the address of its control block, by setting it with a VMRUN."""
        before = BlobState(self._uc, layout)
        self._arm_state.save()
        self._uc.emu_start(0, 0)
        after = BlobState(self._uc, layout)
        before.save()
        mark = struct.pack("<Q", _ARM_BLOCK)
        old, new = bytes(before.data), bytes(after.data)
        found = [
            i for i in range(0, layout.size - 7, 8) if new[i : i + 8] == mark != old[i : i + 8]
        ]
        _require(len(found) == 1 and after.eip == _GUEST_EIP + 1)
        return found[0]

    def _try_out(self) -> None:
        """Make sure that the request which stands now goes away, and that none comes of nothing."""
        before = BlobState(self._uc, self._arm_state.layout)
        for expected in (_HANDLER_EIP, _GUEST_EIP):
            self._disarm_state.save()
            self._uc.emu_start(_GUEST_EIP, 0)
            after = BlobState(self._uc, self._arm_state.layout)
            _require(after.eip == expected + 1)
        before.save()
        flush_tlb(self._uc)


def _require(holds: bool) -> None:
    if not holds:
        raise UnsupportedError("this build of Unicorn has no virtual interrupt to use")


def flush_tlb(uc: Any) -> None:
    """Forget translations of addresses: needed after each change of hidden state."""
    uc.ctl(uc_api.UC_CTL_TLB_FLUSH, uc_api.UC_CTL_IO_WRITE)


def _control_block() -> bytes:
    """Return a VMCB with a virtual interrupt; its guest is one HLT in 64-bit mode, in the stub."""
    block = bytearray(_PAGE)
    struct.pack_into("<I", block, _CONTROL_INT_CTL, _V_IRQ)
    for offset, kind, base in (
        (_SAVE_ES, _DATA_ATTRIBUTES, 0),
        (_SAVE_CS, _CODE_ATTRIBUTES, SCRATCH),
        (_SAVE_SS, _DATA_ATTRIBUTES, 0),
        (_SAVE_DS, _DATA_ATTRIBUTES, 0),
    ):
        struct.pack_into("<HHIQ", block, offset, 0, kind, 0xFFFF, base)
    for offset, value in (
        (_SAVE_EFER, _EFER),
        (_SAVE_CR0, _PROTECTED_MODE),
        (_SAVE_RFLAGS, 2),
        (_SAVE_RIP, _GUEST_EIP),
    ):
        struct.pack_into("<Q", block, offset, value)
    return bytes(block)


def _descriptor_tables() -> bytes:
    """Return GDT and IDT in which one interrupt has a handler: a HLT in the stub."""
    page = bytearray(_PAGE)
    struct.pack_into("<Q", page, _CODE_SELECTOR, 0x00AF9B000000FFFF)
    handler = SCRATCH + _HANDLER_EIP
    struct.pack_into(
        "<HHHHII", page, _IDT - _TABLES + 16 * _VECTOR,
        handler & 0xFFFF, _CODE_SELECTOR, 0x8E00, handler >> 16 & 0xFFFF, handler >> 32, 0,
    )  # fmt: skip
    return bytes(page)


def _ignore(_uc: Any, _offset: int, _size: int, _value: int, _data: object) -> None:
    """Drop a write."""
