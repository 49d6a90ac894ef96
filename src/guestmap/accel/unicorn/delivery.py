"""Interrupts and exceptions, delivered by hand: Unicorn reports them and delivers none.

Follows the Intel SDM, volume 3, chapter 6 ("Interrupt and Exception Handling") and volume 2,
``INT n``: the real-mode vector table, interrupt and trap gates of 16 and 32 bits with the stack
switch to an inner level, virtual-8086 mode, and what becomes of a fault during delivery. Like
QEMU, error codes have no EXT bit.
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import TYPE_CHECKING

from guestmap.accel.types import Segment
from guestmap.accel.unicorn.paging import PAGE_FAULT, GuestFault
from guestmap.accel.unicorn.state import (
    AC,
    CS,
    DESC_BIG,
    DESC_DPL_SHIFT,
    DS,
    ES,
    ESP,
    FS,
    GDTR,
    GS,
    IDTR,
    IF,
    IOPL_SHIFT,
    LDTR,
    NT,
    PROTECTION,
    RF,
    SS,
    TF,
    TR,
    VM,
)
from guestmap.base import UnsupportedError
from guestmap.base.named_tuple import NamedTuple

if TYPE_CHECKING:
    from guestmap.accel.unicorn.paging import LinearMemory
    from guestmap.accel.unicorn.state import CpuState

INVALID_OPCODE, DOUBLE_FAULT, INVALID_TSS = 6, 8, 10
NOT_PRESENT, STACK_FAULT, PROTECTION_FAULT = 11, 12, 13

_WITH_ERROR_CODE = {8, 10, 11, 12, 13, 14, 17}
_CONTRIBUTORY = {0, 10, 11, 12, 13}
_IDT_ERROR = 2
_PRESENT, _SYSTEM_CLEAR, _CODE_SEGMENT, _CONFORMING, _WRITABLE = (
    1 << 15, 1 << 12, 1 << 11, 1 << 10, 1 << 9,
)  # fmt: skip
_TASK_GATE, _GATES, _GATE_32, _GATE_TRAP = 5, {6, 7, 14, 15}, 8, 1
_TSS_TYPES = {1, 3, 9, 11}


class Cause(Enum):
    """What is delivered."""

    SOFTWARE = "INT n"
    EXCEPTION = "exception"
    EXTERNAL = "interrupt"


class _Gate(NamedTuple):
    selector: int
    offset: int
    wide: bool
    trap: bool


class _Frame(NamedTuple):
    stack: Segment
    pointer: int
    words: list[int]
    wide: bool


class Delivery:
    """Puts the CPU at the start of a handler."""

    def __init__(self, state: CpuState, linear: LinearMemory) -> None:
        self._state = state
        self._linear = linear

    def deliver(self, vector: int, cause: Cause, error_code: int = 0) -> bool:
        """Change the loaded state so that it is at the handler; False: shutdown (triple fault).

        Raises:
            UnsupportedError: a task gate, or a mode that cannot be delivered in.
        """
        while True:
            try:
                self._enter(vector, cause, error_code)
            except GuestFault as fault:
                if cause is Cause.EXCEPTION and vector == DOUBLE_FAULT:
                    return False
                if fault.address is not None:
                    self._state.set_cr2(fault.address)
                first = vector if cause is Cause.EXCEPTION else None
                vector, error_code = _combined(first, fault)
                cause = Cause.EXCEPTION
            else:
                return True

    def _enter(self, vector: int, cause: Cause, error_code: int) -> None:
        state = self._state
        if not state.control(0) & PROTECTION:
            self._enter_real(vector)
            return
        if not state.complete or state.long_mode:
            mode = "long" if state.long_mode else "protected"
            raise UnsupportedError(f"interrupt {vector:#x} in {mode} mode cannot be delivered")
        if state.eflags & VM and cause is Cause.SOFTWARE and state.eflags >> IOPL_SHIFT & 3 < 3:
            raise GuestFault(PROTECTION_FAULT, 0)
        self._enter_protected(vector, cause, error_code)

    # -- real mode -------------------------------------------------------------------------------

    def _enter_real(self, vector: int) -> None:
        state = self._state
        table = state.segment(IDTR)
        if vector * 4 + 3 > table.limit:
            raise GuestFault(PROTECTION_FAULT, vector * 8 + _IDT_ERROR)
        entry = self._linear.load(table.base + vector * 4, 4)
        flags, code = state.eflags, state.segment(CS)
        words = [flags & 0xFFFF, code.selector, state.eip & 0xFFFF]
        stack = state.segment(SS)
        pointer = self._push(_Frame(stack, state.general(ESP), words, wide=False))
        state.set_general(ESP, pointer)
        state.set_segment(CS, code._replace(selector=entry >> 16, base=entry >> 16 << 4))
        state.eip = entry & 0xFFFF
        state.eflags = flags & ~(IF | TF | AC | RF)

    # -- protected mode --------------------------------------------------------------------------

    def _enter_protected(self, vector: int, cause: Cause, error_code: int) -> None:
        state = self._state
        gate = self._gate(vector, cause)
        code, level = self._handler_segment(gate.selector)
        flags, virtual_8086 = state.eflags, bool(state.eflags & VM)
        words: list[int] = []
        if level < state.cpl or virtual_8086:
            if virtual_8086 and level:
                raise GuestFault(PROTECTION_FAULT, gate.selector & ~3)
            stack, pointer = self._inner_stack(level)
            if virtual_8086:
                words += [state.segment(i).selector for i in (GS, FS, DS, ES)]
            words += [state.segment(SS).selector, state.general(ESP)]
        else:
            stack, pointer, level = state.segment(SS), state.general(ESP), state.cpl
        words += [flags, state.segment(CS).selector, state.eip]
        if cause is Cause.EXCEPTION and vector in _WITH_ERROR_CODE:
            words.append(error_code)
        pointer = self._push(_Frame(stack, pointer, words, gate.wide))
        state.eflags = flags & ~(TF | VM | RF | NT | (0 if gate.trap else IF))
        if virtual_8086:
            for index in (ES, DS, FS, GS):
                state.set_segment(index, Segment(0, 0, 0))
        state.set_segment(SS, stack)
        state.set_general(ESP, pointer)
        state.set_segment(CS, code._replace(selector=gate.selector & ~3 | level))
        state.eip = gate.offset

    def _gate(self, vector: int, cause: Cause) -> _Gate:
        state = self._state
        table, error = state.segment(IDTR), vector * 8 + _IDT_ERROR
        if vector * 8 + 7 > table.limit:
            raise GuestFault(PROTECTION_FAULT, error)
        low = self._linear.load(table.base + vector * 8, 4)
        high = self._linear.load(table.base + vector * 8 + 4, 4)
        kind = high >> 8 & 0x1F
        if kind == _TASK_GATE:
            raise UnsupportedError(
                f"vector {vector:#x} is a task gate: task switches are not modelled"
            )
        if kind not in _GATES:
            raise GuestFault(PROTECTION_FAULT, error)
        if cause is Cause.SOFTWARE and high >> DESC_DPL_SHIFT & 3 < state.cpl:
            raise GuestFault(PROTECTION_FAULT, error)
        if not high & _PRESENT:
            raise GuestFault(NOT_PRESENT, error)
        wide = bool(kind & _GATE_32)
        offset = low & 0xFFFF | (high & 0xFFFF0000 if wide else 0)
        return _Gate(low >> 16, offset, wide, bool(kind & _GATE_TRAP))

    def _handler_segment(self, selector: int) -> tuple[Segment, int]:
        """Return the code segment of a handler, and the privilege level that it runs at."""
        cpl = self._state.cpl
        if not selector & ~3:
            raise GuestFault(PROTECTION_FAULT, 0)
        code = self._descriptor(selector, PROTECTION_FAULT)
        dpl = code.flags >> DESC_DPL_SHIFT & 3
        if not (code.flags & _SYSTEM_CLEAR and code.flags & _CODE_SEGMENT) or dpl > cpl:
            raise GuestFault(PROTECTION_FAULT, selector & ~3)
        if not code.flags & _PRESENT:
            raise GuestFault(NOT_PRESENT, selector & ~3)
        return code, cpl if code.flags & _CONFORMING else dpl

    def _inner_stack(self, level: int) -> tuple[Segment, int]:
        """Return the stack that the task state segment has for a privilege level."""
        task = self._state.segment(TR)
        kind = task.flags >> 8 & 0x1F
        wide = bool(kind & 8)
        at = (level * 8 + 4) if wide else (level * 4 + 2)
        last = at + (7 if wide else 3)
        if kind not in _TSS_TYPES or not task.flags & _PRESENT or last > task.limit:
            raise GuestFault(INVALID_TSS, task.selector & ~3)
        size = 4 if wide else 2
        pointer = self._linear.load(task.base + at, size)
        selector = self._linear.load(task.base + at + size, 2)
        if not selector & ~3 or selector & 3 != level:
            raise GuestFault(INVALID_TSS, selector & ~3)
        stack = self._descriptor(selector, INVALID_TSS)
        flags = stack.flags
        if flags >> DESC_DPL_SHIFT & 3 != level or not flags & _SYSTEM_CLEAR:
            raise GuestFault(INVALID_TSS, selector & ~3)
        if flags & _CODE_SEGMENT or not flags & _WRITABLE:
            raise GuestFault(INVALID_TSS, selector & ~3)
        if not flags & _PRESENT:
            raise GuestFault(STACK_FAULT, selector & ~3)
        return stack, pointer

    def _descriptor(self, selector: int, fault: int) -> Segment:
        table = self._state.segment(LDTR if selector & 4 else GDTR)
        index = selector & ~7
        if index + 7 > table.limit:
            raise GuestFault(fault, selector & ~3)
        low = self._linear.load(table.base + index, 4)
        high = self._linear.load(table.base + index + 4, 4)
        base = low >> 16 | (high & 0xFF) << 16 | high & 0xFF000000
        limit = low & 0xFFFF | high & 0xF0000
        if high & 1 << 23:
            limit = limit << 12 | 0xFFF
        return Segment(selector, base, limit, high)

    def _push(self, frame: _Frame) -> int:
        """Push 16- or 32-bit words, the first one first; return the new stack pointer."""
        stack, pointer, words, wide = frame
        size, letter = (4, "I") if wide else (2, "H")
        mask = 0xFFFFFFFF if stack.flags & DESC_BIG else 0xFFFF
        data = struct.pack(
            f"<{len(words)}{letter}", *(w & (1 << 8 * size) - 1 for w in words[::-1])
        )
        low = (pointer - len(data)) & mask
        if low + len(data) <= mask + 1:
            self._linear.write(stack.base + low & 0xFFFFFFFF, data)
        else:  # wraps round the segment
            for at in range(0, len(data), size):
                self._linear.write(
                    stack.base + ((low + at) & mask) & 0xFFFFFFFF, data[at : at + size]
                )
        return pointer & ~mask | low


def _combined(first: int | None, fault: GuestFault) -> tuple[int, int]:
    """Return vector and error code for a fault during the delivery of ``first`` (table 6-5)."""
    second = fault.vector
    both = first in _CONTRIBUTORY and second in _CONTRIBUTORY
    if both or (first == PAGE_FAULT and (second in _CONTRIBUTORY or second == PAGE_FAULT)):
        return DOUBLE_FAULT, 0
    if first == DOUBLE_FAULT:
        return DOUBLE_FAULT, 0
    return second, fault.error_code
