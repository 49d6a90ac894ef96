"""Each part of the internals, proved on the instance that it is to be used on.

What a guest would notice is tried, in each mode that differs; a part whose trial fails is not used.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from guestmap.accel.unicorn.binding import uc_api, x86
from guestmap.accel.unicorn.internals.bench import (
    CODE,
    EFER_SYSCALL,
    HANDLER,
    HIGH,
    NO_EXECUTE,
    OTHER,
    STACK,
    Bench,
)
from guestmap.accel.unicorn.internals.findings import MSRS
from guestmap.accel.unicorn.internals.library import Refused
from guestmap.accel.unicorn.internals.overwritten import STEP_BITS, STEPS
from guestmap.accel.unicorn.state import EAX, EBX, ECX, ESP

if TYPE_CHECKING:
    from guestmap.accel.unicorn.internals.exceptions import NativeExceptions
    from guestmap.accel.unicorn.internals.overwritten import OverwrittenCode
    from guestmap.accel.unicorn.internals.stores import FastStores
    from guestmap.accel.unicorn.internals.system_calls import SystemCalls
    from guestmap.accel.unicorn.leaving import Leaving
    from guestmap.accel.unicorn.window import InterruptWindow

_HLT = b"\xf4"
_SYSCALL, _SYSENTER = b"\x0f\x05\xeb\xfe", b"\x0f\x34\xeb\xfe"  # and jmp $
_VECTOR = 0x20
_PLAIN = 0x7000  # a page without code

STOPPED_IN_A_BLOCK = b"\xe6\x80\x89\x03\x43\xeb\x00\x90" + _HLT
"""``out 80h, al; mov [ebx], eax; inc ebx; jmp $+2``; then the next block: ``nop; hlt``."""

END_OF_THE_BLOCK = 7
"""Where that ends."""


def halts(bench: Bench, leaving: Leaving) -> None:
    """HLT shows, and a stop does not look like one."""
    bench.real(b"\x90" + _HLT)
    bench.run()
    bench.real(b"\xeb\xfe")  # jmp $
    bench.structures.halted.value = 0
    leaving.ask()
    bench.uc.emu_start(CODE, 0)
    stopped = leaving.obeyed
    leaving.forget()
    _require(stopped and not bench.structures.halted.value, "a stop looks like HLT")


def flags(bench: Bench) -> None:
    """The arithmetic flags, which the library works out when asked, go in and out."""
    bench.real(b"\xf9\x31\xc0\xf9" + _HLT)  # stc; xor ax, ax; stc
    bench.run()
    _require(bench.state.eflags & 0x41 == 0x41, "flags cannot be read")
    bench.real(b"\x19\xc0" + _HLT)  # sbb ax, ax
    bench.state.eflags = 3
    bench.run()
    _require(bench.state.general(EAX) & 0xFFFF == 0xFFFF, "flags cannot be written")


def long_mode(bench: Bench) -> None:
    """A run begins at all 64 bits of RIP."""
    bench.long(b"\x48\x8d\x05\x00\x00\x00\x00" + _HLT)  # lea rax, [rip]
    bench.run()
    _require(bench.structures.register(EAX).value == HIGH + CODE + 7, "RIP is cut to 32 bits")


def exceptions(bench: Bench, part: NativeExceptions) -> None:
    """#DE twice, #UD, INT n in real mode; #GP with its error code, twice, in protected mode."""
    count = b"\xff\x06\x00\x30"  # inc word [OTHER]
    bench.real(b"\x31\xc9\xf7\xf1\xf7\xf1\x0f\x0b\xcd\x21" + _HLT)  # div cx twice; ud2; int 21h
    bench.uc.mem_write(OTHER, bytes(4))
    skip = count + b"\x55\x89\xe5\x83\x46\x02\x02\x5d\xcf"  # ip += 2; iret
    bench.handler(0, skip)
    bench.handler(6, skip)
    bench.handler(0x21, count + b"\xcf")
    before = part.exceptions, part.software
    bench.run()
    _require(bench.words(OTHER, 1) == (4,), "exceptions in real mode do not arrive")
    counted = part.exceptions - before[0], part.software - before[1]
    _require(counted == (3, 1), "exceptions are counted wrong")
    bench.protected(b"\xb8\x53\x00\x00\x00\x8e\xd8\x8e\xd8" + _HLT)  # mov ds, 53h twice
    # pop ebx; add ecx, ebx; add dword [esp], 2; iret
    bench.handler(13, b"\x5b\x01\xd9\x83\x04\x24\x02\xcf")
    bench.state.set_general(ECX, 0)
    bench.run()
    _require(bench.state.general(ECX) == 0xA0, "error codes do not arrive")


def system_calls(bench: Bench, part: SystemCalls, *, faults: bool) -> None:
    """SYSCALL in 64-bit mode, SYSENTER in 32-bit mode; not enabled, they are #UD and #GP."""
    structures, entry = bench.structures, b"\x90" + _HLT
    bench.uc.mem_write(OTHER, entry)
    before = part.count
    bench.long(_SYSCALL, efer=EFER_SYSCALL)
    structures.msr(MSRS["STAR"]).value = 8 << 32
    structures.msr(MSRS["LSTAR"]).value = HIGH + OTHER
    bench.run()
    _require(bench.state.pc == HIGH + OTHER + 2, "SYSCALL does not go where it should")
    back = structures.register(ECX).value
    _require(back == HIGH + CODE + 2, "SYSCALL does not know its way back")
    bench.protected(_SYSENTER)
    structures.msr(MSRS["SYSENTER_CS"]).value = 8
    structures.msr(MSRS["SYSENTER_EIP"]).value = OTHER
    structures.msr(MSRS["SYSENTER_ESP"]).value = STACK - 8
    bench.run()
    _require(bench.state.pc == OTHER + 2, "SYSENTER does not go where it should")
    _require(structures.register(ESP).value == STACK - 8, "SYSENTER does not set the stack")
    _require(part.count == before + 2, "system calls are counted wrong")
    if faults:
        for start, code, vector, base in (
            (bench.long, _SYSCALL, 6, HIGH), (bench.protected, _SYSENTER, 13, 0)
        ):  # fmt: skip
            start(code)
            bench.handler(vector, entry)
            bench.run()
            at = base + HANDLER + vector * 0x40 + 2
            _require(bench.state.pc == at, "a forbidden system call does not fault")


def stores(bench: Bench, part: FastStores) -> None:
    """A store through a writable alias reaches code that was translated through another."""
    code, alias = 0x40000, 0x41000
    bench.long(
        b"\xbd" + _le32(code) + b"\xff\xd5\x89\xc3"  # mov ebp, code; call rbp; mov ebx, eax
        b"\xbf" + _le32(alias) + b"\xc6\x87\x80\x00\x00\x00\x55"  # mov edi, alias; a store near
        b"\xc6\x47\x01\x02"  # the store that patches the code
        b"\xff\xd5\x89\xc1"  # call rbp; mov ecx, eax
        b"\xc6\x04\x25" + _le32(_PLAIN) + b"\x01" + _HLT  # a store elsewhere
    )
    bench.uc.mem_write(OTHER, b"\xb8\x01\x00\x00\x00\xc3")  # mov eax, 1; ret
    bench.show(code, OTHER)
    bench.show(alias, OTHER, NO_EXECUTE)
    bench.run()
    seen = bench.state.general(EBX), bench.state.general(ECX)
    _require(seen == (1, 2), "a store leaves stale code behind")
    _require(part.asked, "TLB entries are made in another way")
    fetched = [part.has_code(at >> 12) for at in (CODE, OTHER, _PLAIN)]
    _require(fetched == [True, True, False], "which pages have code is not told")


def overwritten(bench: Bench, part: OverwrittenCode, leaving: Leaving) -> None:
    """A page with code that is filled is told of; not one without, nor one that is written to."""
    leaving.forget()
    bench.uc.mem_write(OTHER, b"\xc3")  # ret
    for filled, step, told in ((_PLAIN, 1, None), (OTHER, 0, None), (OTHER, 1, OTHER >> 12)):
        bench.real(
            b"\xe8" + struct.pack("<h", OTHER - CODE - 3)  # call
            + b"\xbf" + struct.pack("<H", filled + 0x800)  # mov di, ...
            + b"\xb9" + struct.pack("<H", STEPS + 2 << STEP_BITS)  # mov cx, ...
            + b"\x88\x05\x83\xc7" + bytes((step,)) + b"\xe2\xf9"  # mov [di], al; add di; loop
            + _HLT
        )  # fmt: skip
        bench.uc.emu_start(CODE, 0)
        asked = leaving.obeyed
        leaving.forget()
        _require(part.page == told, "which page is filled is not told")
        _require(asked == (told is not None), "a page that is filled does not end the run")
    bench.forget_code()
    part.is_data(OTHER >> 12)


def whole_blocks(bench: Bench, leaving: Leaving) -> None:
    """A run that a port write stops ends with the block; before a memory access, under paging."""

    def leave(*_: object) -> None:
        leaving.ask()
        leaving.honour_after_port()

    def stop(*_: object) -> None:
        bench.uc.emu_stop()

    for start, hear, end, done in (
        (bench.protected, stop, CODE + END_OF_THE_BLOCK, 1), (bench.long, leave, HIGH + CODE + 2, 0)
    ):  # fmt: skip
        start(STOPPED_IN_A_BLOCK)
        bench.state.set_general(EBX, OTHER)
        hook = bench.uc.hook_add(uc_api.UC_HOOK_INSN, hear, None, 1, 0, x86.UC_X86_INS_OUT)
        try:
            bench.uc.emu_start(bench.state.pc, 0)
        finally:
            bench.uc.hook_del(hook)
            leaving.forget()
        there = bench.state.pc == end and bench.state.general(EBX) == OTHER + done
        _require(there, "a run ends in the middle of a block")


def interrupts(bench: Bench, window: InterruptWindow) -> None:
    """A request waits until interrupts are on, and one that is taken back comes to nothing."""
    program = b"\x90\xeb\x00\xfb\x90\x90" + _HLT  # nop; jmp $+2; sti; nop; nop; hlt
    with window.answered_by(lambda: _VECTOR):
        for taken_back, at in ((False, HANDLER + _VECTOR * 0x40), (True, CODE + len(program) - 1)):
            bench.real(program)
            bench.handler(_VECTOR, _HLT)
            window.arm(bench.state)
            if taken_back:
                window.disarm(bench.state)
            bench.run()
            _require(bench.state.pc == at + 1, "a request is not taken as it should")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Refused(otherwise)


def _le32(value: int) -> bytes:
    return value.to_bytes(4, "little")
