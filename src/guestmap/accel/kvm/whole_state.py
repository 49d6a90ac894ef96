"""All of a vCPU, read and set as :class:`guestmap.accel.vcpu_state.VcpuState`."""

from __future__ import annotations

from struct import Struct, pack, pack_into, unpack_from
from typing import TYPE_CHECKING

from guestmap.accel.kvm.abi import (
    GET_DEBUGREGS,
    GET_FPU,
    GET_MSRS,
    GET_VCPU_EVENTS,
    SET_DEBUGREGS,
    SET_FPU,
    SET_MSRS,
    SET_VCPU_EVENTS,
)
from guestmap.accel.kvm.registers import CONTROL, Registers
from guestmap.accel.types import SegmentRegister
from guestmap.accel.vcpu import RESET_SMBASE
from guestmap.accel.vcpu_state import EFER, GENERAL, MSRS, Fpu, VcpuState
from guestmap.base import UnsupportedError

if TYPE_CHECKING:
    from guestmap.accel.kvm.kernel import Handle

_DEBUG = {0: 0, 1: 8, 2: 16, 3: 24, 6: 32, 7: 40}
_FPU_HEAD = Struct("<HHBxHQQ")  # fcw, fsw, ftwx, last_opcode, last_ip, last_dp
_FPU_HEAD_AT, _VECTORS_AT, _MXCSR_AT = 128, 152, 408
_INJECTED_AT, _VECTOR_AT, _SHADOW_AT, _EVENT_FLAGS_AT, _VALID_SHADOW = 8, 9, 11, 20, 4
_SMM_AT, _SMI_PENDING_AT, _VALID_SMM, _SMBASE = 24, 25, 8, 0x9E
_EMPTY, _ZERO, _SPECIAL, _VALID = 3, 1, 2, 0
_EXPONENT, _INTEGER = 0x7FFF, 1 << 63


def save(vcpu: Handle, registers: Registers, *, halted: bool) -> VcpuState:
    """Return all that a vCPU knows; it must not run, and wait for nothing.

    Raises:
        HostError: the kernel refuses.
    """
    registers.load()
    debug, events = bytearray(GET_DEBUGREGS.size), bytearray(GET_VCPU_EVENTS.size)
    fpu = bytearray(GET_FPU.size)
    vcpu.call(GET_DEBUGREGS, debug)
    vcpu.call(GET_VCPU_EVENTS, events)
    vcpu.call(GET_FPU, fpu)
    msrs = {n: value for n in MSRS if n != EFER and (value := read_msr(vcpu, n)) is not None}
    smbase = read_msr(vcpu, _SMBASE)
    return VcpuState(
        general=[registers[name] for name in GENERAL],
        rip=registers["rip"],
        rflags=registers["rflags"],
        segments=[registers.segment(each) for each in SegmentRegister],
        control={n: registers.control(n) for n in CONTROL},
        debug={n: int(unpack_from("<Q", debug, at)[0]) for n, at in _DEBUG.items()},
        msrs=msrs | {EFER: registers.efer},
        fpu=_fpu(fpu),
        mxcsr=unpack_from("<I", fpu, _MXCSR_AT)[0],
        vectors=[bytes(fpu[at : at + 16]) for at in range(_VECTORS_AT, _MXCSR_AT, 16)],
        halted=halted,
        shadow=bool(events[_SHADOW_AT]),
        accepted=events[_VECTOR_AT] if events[_INJECTED_AT] else None,
        smbase=RESET_SMBASE if smbase is None else smbase,
        smm=bool(events[_SMM_AT]),
        smi=bool(events[_SMI_PENDING_AT]),
    )


def load(vcpu: Handle, registers: Registers, saved: VcpuState) -> None:
    """Make a vCPU what it was; what it was about to take is forgotten.

    An interrupt that ``saved`` has accepted is the caller's to give. A fault that the kernel was
    about to deliver is in no state: the instruction is done again, and faults again.

    Raises:
        HostError: the kernel refuses.
        UnsupportedError: it was in system management mode, or had moved its handler, and there is
            no such mode here.
    """
    has_smm = read_msr(vcpu, _SMBASE) is not None
    if not has_smm and (saved.smm or saved.smi):
        raise UnsupportedError(
            "the saved CPU is in system management mode, which this host's KVM has not"
        )
    events = bytearray(GET_VCPU_EVENTS.size)
    events[_SHADOW_AT] = saved.shadow
    if has_smm:
        events[_SMM_AT], events[_SMI_PENDING_AT] = saved.smm, saved.smi
    pack_into("<I", events, _EVENT_FLAGS_AT, _VALID_SHADOW | (_VALID_SMM if has_smm else 0))
    vcpu.call(SET_VCPU_EVENTS, events)
    if has_smm:
        write_msr(vcpu, _SMBASE, saved.smbase)
    registers.in_page = False  # an interrupt that waited is among the special ones, and is no more
    registers.load()
    for name, value in zip(GENERAL, saved.general, strict=True):
        registers[name] = value
    registers["rip"], registers["rflags"] = saved.rip, saved.rflags
    for index, each in enumerate(SegmentRegister):
        registers.set_segment(each, saved.segment(index))
    for n, value in saved.control.items():
        if n in CONTROL:
            registers.set_control(n, value)
    registers.efer = saved.msrs.get(EFER, 0)
    registers.save()
    for n, value in saved.msrs.items():
        if n in MSRS and n != EFER and read_msr(vcpu, n) is not None:
            write_msr(vcpu, n, value)
    debug = bytearray(SET_DEBUGREGS.size)
    for n, value in saved.debug.items():
        if n in _DEBUG:
            pack_into("<Q", debug, _DEBUG[n], value)
    vcpu.call(SET_DEBUGREGS, debug)
    vcpu.call(SET_FPU, _packed_fpu(saved))


def in_smm(vcpu: Handle) -> bool:
    """Tell whether a vCPU is in system management mode; it must not run.

    Raises:
        HostError: the kernel refuses.
    """
    events = bytearray(GET_VCPU_EVENTS.size)
    vcpu.call(GET_VCPU_EVENTS, events)
    return bool(events[_SMM_AT])


def read_msr(vcpu: Handle, number: int) -> int | None:
    """Return a model specific register; None where the kernel has it not."""
    request = bytearray(pack("<IIIIQ", 1, 0, number, 0, 0))
    if vcpu.call(GET_MSRS, request, f"MSR 0x{number:x}") != 1:
        return None
    return int(unpack_from("<Q", request, 16)[0])


def write_msr(vcpu: Handle, number: int, value: int) -> None:
    """Set a model specific register.

    Raises:
        HostError: the kernel refuses.
    """
    vcpu.call(SET_MSRS, pack("<IIIIQ", 1, 0, number, 0, value), f"MSR 0x{number:x}")


def _fpu(fpu: bytearray) -> Fpu:
    """Return the x87 unit; the kernel has ST(n), and one bit for each tag."""
    control, status, full, *_ = _FPU_HEAD.unpack_from(fpu, _FPU_HEAD_AT)
    registers: list[tuple[int, int]] = [(0, 0)] * 8
    tag = 0
    for n in range(8):
        index = (n + (status >> 11)) & 7
        registers[index] = significand, exponent = unpack_from("<QH", fpu, 16 * n)
        kind = _kind(significand, exponent) if full >> index & 1 else _EMPTY
        tag |= kind << 2 * index
    return Fpu(control=control, status=status, tag=tag, registers=registers)


def _kind(significand: int, exponent: int) -> int:
    """Return the tag of a register that is not empty (Intel SDM, volume 1, section 8.1.7)."""
    exponent &= _EXPONENT
    if not exponent and not significand:
        return _ZERO
    return _VALID if exponent not in {0, _EXPONENT} and significand & _INTEGER else _SPECIAL


def _packed_fpu(saved: VcpuState) -> bytearray:
    fpu = bytearray(SET_FPU.size)
    unit = saved.fpu
    full = sum(1 << n for n in range(8) if unit.tag >> 2 * n & 3 != _EMPTY)
    _FPU_HEAD.pack_into(fpu, _FPU_HEAD_AT, unit.control, unit.status, full, 0, 0, 0)
    for n in range(8):
        pack_into("<QH", fpu, 16 * n, *unit.registers[(n + (unit.status >> 11)) & 7])
    for n, vector in enumerate(saved.vectors):
        fpu[_VECTORS_AT + 16 * n : _VECTORS_AT + 16 * n + 16] = vector
    pack_into("<I", fpu, _MXCSR_AT, saved.mxcsr)
    return fpu
