"""The registers that a debugger sees: one table for their values and their description.

The names in the features ``org.gnu.gdb.i386.*`` are GDB's (its manual, section G.5.6). The feature
``guestmap.system`` is ours; its registers are numbers, as GDB adds no ``code_ptr`` to one.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from guestmap.accel.vcpu_state import EFER, GENERAL

if TYPE_CHECKING:
    from guestmap.accel import VcpuState

LONG_MODE = 1 << 10  # LMA of EFER
_CORE, _SSE = "org.gnu.gdb.i386.core", "org.gnu.gdb.i386.sse"
_SYSTEM = "guestmap.system"
_CS = 1
_SEGMENTS = {"cs": _CS, "ss": 2, "ds": 3, "es": 0, "fs": 4, "gs": 5}
_FLAGS = {
    "CF": 0, "PF": 2, "AF": 4, "ZF": 6, "SF": 7, "TF": 8, "IF": 9, "DF": 10, "OF": 11, "NT": 14,
    "RF": 16, "VM": 17, "AC": 18, "VIF": 19, "VIP": 20, "ID": 21,
}  # fmt: skip
_NO_FPU = ("fiseg", "fioff", "foseg", "fooff", "fop")
_TOP_SHIFT = 11  # of the x87 status word


class GdbRegister(NamedTuple):
    """A register.

    Attributes:
        name: GDB's, or ours.
        bits: how wide it is on the wire, where it is little-endian.
        kind: GDB's type.
        feature: what it belongs to.
        read: returns its value.
        write: sets it; ValueError: it cannot have that value. None: it cannot be set.
    """

    name: str
    bits: int
    kind: str
    feature: str
    read: Callable[[VcpuState], int]
    write: Callable[[VcpuState, int], None] | None


def registers(*, long_mode: bool) -> tuple[GdbRegister, ...]:
    """Return all registers in the order of their numbers."""
    bits = 64 if long_mode else 32
    order = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", *GENERAL[8:])
    names = order if long_mode else tuple("e" + name[1:] for name in GENERAL[:8])
    general = (
        _general(name, GENERAL.index(name if long_mode else "r" + name[1:]), bits) for name in names
    )
    pointer = GdbRegister("rip" if long_mode else "eip", bits, "code_ptr", _CORE, _pc, _set_pc)
    return (
        *general,
        pointer,
        GdbRegister("eflags", 32, "x86_flags", _CORE, lambda s: s.rflags, _set_flags),
        *(_selector(name) for name in _SEGMENTS),
        *(_stack(number) for number in range(8)),
        *_fpu_control(),
        *(_vector(number) for number in range(16 if long_mode else 8)),
        GdbRegister("mxcsr", 32, "int32", _SSE, lambda s: s.mxcsr, None),
        _system("ip", bits, lambda s: s.rip),
        *(_base(name, bits) for name in _SEGMENTS),
        *(_control(number, bits) for number in (0, 2, 3, 4, 8)),
        _system("efer", bits, lambda s: s.msrs.get(EFER, 0)),
    )


def _general(name: str, index: int, bits: int) -> GdbRegister:
    def write(state: VcpuState, value: int) -> None:
        state.general[index] = value

    kind = "data_ptr" if name[1:] in {"bp", "sp"} else f"int{bits}"
    return GdbRegister(name, bits, kind, _CORE, lambda s: s.general[index], write)


def _pc(state: VcpuState) -> int:
    """Return the linear address of the next instruction."""
    if state.msrs.get(EFER, 0) & LONG_MODE:
        return state.rip
    return state.segment(_CS).base + state.rip & 0xFFFFFFFF


def _set_pc(state: VcpuState, value: int) -> None:
    if state.msrs.get(EFER, 0) & LONG_MODE:
        state.rip = value
        return
    offset = value - state.segment(_CS).base & 0xFFFFFFFF
    if offset > state.segment(_CS).limit:
        raise ValueError
    state.rip = offset


def _set_flags(state: VcpuState, value: int) -> None:
    state.rflags = value | 2


def _selector(name: str) -> GdbRegister:
    index = _SEGMENTS[name]
    return GdbRegister(name, 32, "int32", _CORE, lambda s: s.segments[index][0], None)


def _base(name: str, bits: int) -> GdbRegister:
    index = _SEGMENTS[name]
    return _system(f"{name}_base", bits, lambda s: s.segments[index][1])


def _control(number: int, bits: int) -> GdbRegister:
    return _system(f"cr{number}", bits, lambda s: s.control[number])


def _system(name: str, bits: int, read: Callable[[VcpuState], int]) -> GdbRegister:
    return GdbRegister(name, bits, f"int{bits}", _SYSTEM, read, None)


def _stack(number: int) -> GdbRegister:
    def read(state: VcpuState) -> int:
        top = state.fpu.status >> _TOP_SHIFT & 7
        significand, exponent = state.fpu.registers[(top + number) % 8]
        return exponent << 64 | significand

    return GdbRegister(f"st{number}", 80, "i387_ext", _CORE, read, None)


def _fpu_control() -> tuple[GdbRegister, ...]:
    known: dict[str, Callable[[VcpuState], int]] = {
        "fctrl": lambda s: s.fpu.control,
        "fstat": lambda s: s.fpu.status,
        "ftag": lambda s: s.fpu.tag,
        **{name: lambda _s: 0 for name in _NO_FPU},
    }
    return tuple(GdbRegister(name, 32, "int", _CORE, read, None) for name, read in known.items())


def _vector(number: int) -> GdbRegister:
    def read(state: VcpuState) -> int:
        found = state.vectors[number] if number < len(state.vectors) else b""
        return int.from_bytes(found, "little")

    def write(state: VcpuState, value: int) -> None:
        if number >= len(state.vectors):
            raise ValueError
        state.vectors[number] = value.to_bytes(16, "little")

    return GdbRegister(f"xmm{number}", 128, "uint128", _SSE, read, write)


def description(*, long_mode: bool) -> str:
    """Return ``target.xml``.

    That of 32 bits names no architecture: then GDB takes i386, and its user may say i8086, which is
    what makes it read 16-bit code.
    """
    lines = ['<?xml version="1.0"?>', '<!DOCTYPE target SYSTEM "gdb-target.dtd">', "<target>"]
    if long_mode:
        lines.append("<architecture>i386:x86-64</architecture>")
    for feature, members in groupby(registers(long_mode=long_mode), key=lambda r: r.feature):
        lines.append(f'<feature name="{feature}">')
        if feature == _CORE:
            lines.append('<flags id="x86_flags" size="4">')
            lines += [f'<field name="{f}" start="{b}" end="{b}"/>' for f, b in _FLAGS.items()]
            lines.append("</flags>")
        lines += [f'<reg name="{r.name}" bitsize="{r.bits}" type="{r.kind}"/>' for r in members]
        lines.append("</feature>")
    return "\n".join([*lines, "</target>", ""])
