"""Exceptions and INT n, delivered by the library's own code, in every mode.

The library's QEMU has the whole of it (``x86_cpu_do_interrupt``), but asks a hook instead. The hook
here calls that function. A fault during delivery leaves by longjmp, across the hook: so the hook
is machine code, and calls Python only before, and only for those who watch INT n in real mode.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from guestmap.accel.unicorn.binding import uc_api
from guestmap.accel.unicorn.internals.machine_code import (
    ALIGN,
    JE,
    JNE,
    RET,
    UNALIGN,
    MachineCode,
    call,
    jump,
    load,
    unless,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from guestmap.accel.unicorn.internals.structures import Structures

_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32)
_ANSWER = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p)
_INC, _CMP_RAX_0, _CMP_RCX_0 = b"\x48\xff\x00", b"\x80\x38\x00", b"\x83\x39\x00"
_CMP_OF_VECTOR = b"\x89\xf1\x80\x3c\x08\x00"  # mov ecx, esi; cmp byte [rax + rcx], 0
_VECTORS = 256
_TEST_PROTECTED = b"\xf6\x01\x80"  # test byte [rcx], PE of hflags
_UD = b"\xbe\x06\x00\x00\x00"  # mov esi, 6
_TEST_EAX = b"\x85\xc0"
_RETURN_1 = b"\xb8\x01\x00\x00\x00\xc3"  # mov eax, 1; ret
_SET_OBEYED = b"\xc6\x40\x01\x01"  # mov byte [rax + 1], 1


class NativeExceptions:
    """The two hooks of one instance.

    Args:
        structures: of the instance.
        code: where the hooks go.
        leave_flag: address of the byte that asks the CPU to leave; the one behind it says that it
            has obeyed (:mod:`guestmap.accel.unicorn.leaving`).

    Attributes:
        software, hardware: how many INT n and how many exceptions there were.
    """

    def __init__(self, structures: Structures, code: MachineCode, leave_flag: int) -> None:
        self._structures, self._code = structures, code
        self._software, self._hardware = code.cell(), code.cell()
        self._watched = code.table(_VECTORS)
        self._observe: Callable[[int], None] = lambda _vector: None
        self._callback = _CALLBACK(self._observed)
        deliver = code.put(self._deliver(leave_flag))
        self._hook = code.put(jump(deliver))
        self._answers = code.cell()
        self._asked = _ANSWER(self._ask)
        self._answer: Callable[[], bool] = lambda: False
        self._invalid = code.put(self._invalid_opcode(deliver))

    @property
    def software(self) -> int:
        """How many INT n there were."""
        return self._software.value

    @property
    def exceptions(self) -> int:
        """How many exceptions there were."""
        return self._hardware.value

    def forget_counts(self) -> None:
        """Count from 0 again."""
        self._software.value = self._hardware.value = 0

    def install(self, uc: Any) -> list[int]:
        """Take over from here; return the hooks."""
        return [
            self._code.hook(uc, uc_api.UC_HOOK_INTR, self._hook),
            self._code.hook(uc, uc_api.UC_HOOK_INSN_INVALID, self._invalid),
        ]

    def answer_invalid_opcodes(self, answer: Callable[[], bool] | None) -> None:
        """Ask ``answer`` of each invalid instruction whether it is done with; it must not raise."""
        self._answers.value = answer is not None
        self._answer = answer or (lambda: False)

    def watch(self, observe: Callable[[int], None], vectors: Collection[int]) -> None:
        """Call ``observe`` with the vector of each such INT n in real mode; it must not raise."""
        self._observe = observe
        for vector in vectors:
            self._watched[vector] = 1

    def _ask(self, _uc: int | None) -> int:
        return self._answer()

    def _observed(self, _uc: int | None, vector: int) -> None:
        self._observe(vector)

    def _deliver(self, leave_flag: int) -> bytes:
        """Return the code of a hook: count, tell who watches, deliver, leave if that was asked."""
        own, layout = self._structures, self._structures.findings.layout
        library = own.library
        callback = ctypes.cast(self._callback, ctypes.c_void_p).value or 0
        tell = ALIGN + call(callback) + UNALIGN
        if_real = load("rcx", own.address_of(layout.hflags)) + _TEST_PROTECTED + unless(JNE, tell)
        watched = load("rax", ctypes.addressof(self._watched)) + _CMP_OF_VECTOR
        watched += unless(JE, if_real)
        software = load("rax", ctypes.addressof(self._software)) + _INC + watched
        software += b"\xeb" + bytes((len(hardware := self._count_exception()),))
        leave = _SET_OBEYED + load("rdi", own.instance) + jump(library.address("uc_emu_stop"))
        return b"".join((
            load("rcx", own.address_of(layout.is_int)), _CMP_RCX_0,
            unless(JE, software), hardware,
            ALIGN, load("rdi", own.cpu), call(library.function("x86_cpu_do_interrupt")), UNALIGN,
            load("rax", leave_flag), _CMP_RAX_0, unless(JE, leave), RET,
        ))  # fmt: skip

    def _invalid_opcode(self, deliver: int) -> bytes:
        """Return the code of the hook of invalid instructions: ask who answers, or deliver."""
        callback = ctypes.cast(self._asked, ctypes.c_void_p).value or 0
        ask = ALIGN + call(callback) + UNALIGN + _TEST_EAX + unless(JE, _RETURN_1)
        return b"".join((
            load("rax", ctypes.addressof(self._answers)), _CMP_RAX_0, unless(JE, ask),
            ALIGN, _UD, call(deliver), UNALIGN, _RETURN_1,
        ))  # fmt: skip

    def _count_exception(self) -> bytes:
        return load("rax", ctypes.addressof(self._hardware)) + _INC
