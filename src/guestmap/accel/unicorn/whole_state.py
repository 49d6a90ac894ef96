"""All of a Unicorn CPU, read and set as :class:`guestmap.accel.vcpu_state.VcpuState`.

Registers that have no effects of their own go through the library's interface; the others are the
matter of :mod:`~guestmap.accel.unicorn.modes`.
"""

from __future__ import annotations

from guestmap.accel.unicorn.binding import x86
from guestmap.accel.unicorn.cpu import A20_CLOSED, A20_OPEN, Cpu
from guestmap.accel.unicorn.modes import (
    HF_SHADOW,
    LMA,
    debug,
    go_on,
    msr,
    register,
    set_debug,
    set_msr,
    whole,
    wide_registers,
)  # fmt: skip
from guestmap.accel.vcpu_state import EFER, GENERAL, MSRS, Fpu, VcpuState
from guestmap.base import UnsupportedError

_SEGMENTS = 10
_CONTROL, _DEBUG = (0, 2, 3, 4, 8), (0, 1, 2, 3, 6, 7)
_NARROW = ("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi")


def save(cpu: Cpu, *, halted: bool) -> VcpuState:
    """Return all that the CPU knows; it must not run.

    Raises:
        UnsupportedError: this build of Unicorn does not show it.
    """
    state = whole(cpu)
    state.load()
    read = cpu.uc.reg_read
    with wide_registers(cpu) as wide:
        names = GENERAL if wide else _NARROW
        general = [int(read(register(name))) for name in names]
        fpu = Fpu(
            control=int(read(x86.UC_X86_REG_FPCW)),
            status=int(read(x86.UC_X86_REG_FPSW)),
            tag=int(read(x86.UC_X86_REG_FPTAG)),
            registers=[tuple(read(register(f"fp{n}"))) for n in range(8)],
        )
        vectors = [
            int(read(register(f"xmm{n}"))).to_bytes(16, "little") for n in range(16 if wide else 8)
        ]
        mxcsr = int(read(x86.UC_X86_REG_MXCSR))
    return VcpuState(
        general=general + [0] * (len(GENERAL) - len(general)),
        rip=state.pc,
        rflags=state.eflags,
        segments=[state.segment(index) for index in range(_SEGMENTS)],
        control={n: state.wide_control(n) for n in _CONTROL},
        debug=debug(cpu, _DEBUG),
        msrs={number: msr(cpu, number) for number in MSRS},
        fpu=fpu,
        mxcsr=mxcsr,
        vectors=vectors,
        a20=cpu.a20_mask == A20_OPEN,
        halted=halted,
        shadow=bool(state.hflags & HF_SHADOW),
    )


def load(cpu: Cpu, saved: VcpuState) -> None:
    """Make the CPU what it was; it must not run, and be as after a reset.

    Raises:
        UnsupportedError: this build of Unicorn cannot be made so.
    """
    whole(cpu)
    if saved.msrs.get(EFER, 0) & LMA and cpu.internals is None:
        raise UnsupportedError("the saved CPU is in long mode, which is not used of Unicorn here")
    for number, value in saved.msrs.items():
        if number in MSRS:
            set_msr(cpu, number, value)
    _load_units(cpu, saved)
    go_on(
        cpu, general=saved.general,
        segments={index: saved.segment(index) for index in range(_SEGMENTS)},
        control={n: value for n, value in saved.control.items() if n in _CONTROL},
        efer=saved.msrs.get(EFER, 0), rflags=saved.rflags, rip=saved.rip, shadow=saved.shadow,
    )  # fmt: skip
    cpu.a20_mask = A20_OPEN if saved.a20 else A20_CLOSED
    cpu.apply_a20()


def _load_units(cpu: Cpu, saved: VcpuState) -> None:
    """Load the debug registers, the x87 unit and SSE."""
    write = cpu.uc.reg_write
    set_debug(cpu, {n: value for n, value in saved.debug.items() if n in _DEBUG})
    with wide_registers(cpu) as wide:
        write(x86.UC_X86_REG_FPCW, saved.fpu.control)
        write(x86.UC_X86_REG_FPSW, saved.fpu.status)
        write(x86.UC_X86_REG_FPTAG, saved.fpu.tag)
        for n, pair in enumerate(saved.fpu.registers):
            write(register(f"fp{n}"), pair)
        for n, vector in enumerate(saved.vectors[: 16 if wide else 8]):
            write(register(f"xmm{n}"), int.from_bytes(vector, "little"))
        write(x86.UC_X86_REG_MXCSR, saved.mxcsr)
