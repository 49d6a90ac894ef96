"""All of a Unicorn CPU, read and set as :class:`guestmap.accel.vcpu_state.VcpuState`.

Registers that have no effects of their own go through the library's interface; those whose hidden
parts and effects it gets wrong or refuses are set where they are kept, and what the library derives
from them (``hflags``: the mode that code is translated for) is derived here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from guestmap.accel.types import Segment
from guestmap.accel.unicorn.binding import x86
from guestmap.accel.unicorn.blob_state import BlobState
from guestmap.accel.unicorn.cpu import A20_CLOSED, A20_OPEN, Cpu
from guestmap.accel.unicorn.state import CS, DESC_BIG, DS, ES, PROTECTION, SS, TR, VM
from guestmap.accel.unicorn.window import flush_tlb
from guestmap.accel.vcpu_state import EFER, GENERAL, MSRS, Fpu, VcpuState
from guestmap.base import UnsupportedError

_SEGMENTS = 10
_CONTROL, _DEBUG = (0, 2, 3, 4, 8), (0, 1, 2, 3, 6, 7)
_NARROW = ("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi")
_LMA, _SVME = 1 << 10, 1 << 12  # of EFER
_OSFXSR, _SMAP = 1 << 9, 1 << 21  # of CR4
_DESC_LONG, _TASK_BUSY = 1 << 21, 1 << 9

_HF_CPL, _HF_SHADOW, _HF_CS32, _HF_SS32, _HF_ADDSEG, _HF_PE = (
    3, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7,
)  # fmt: skip
_HF_LMA, _HF_CS64, _HF_SVME, _HF_OSFXSR, _HF_SMAP = 1 << 14, 1 << 15, 1 << 20, 1 << 22, 1 << 23
_HF_OF_CR0 = 7 << 9  # MP, EM, TS
_HF_OF_FLAGS = 1 << 8 | 3 << 12 | 1 << 17  # TF, IOPL, VM: in the same places
_HF_DERIVED = (
    _HF_CPL | _HF_SHADOW | _HF_CS32 | _HF_SS32 | _HF_ADDSEG | _HF_PE | _HF_LMA | _HF_CS64
    | _HF_SVME | _HF_OSFXSR | _HF_SMAP | _HF_OF_CR0 | _HF_OF_FLAGS
)  # fmt: skip


def save(cpu: Cpu, *, halted: bool) -> VcpuState:
    """Return all that the CPU knows; it must not run.

    Raises:
        UnsupportedError: this build of Unicorn does not show it.
    """
    state = whole(cpu)
    state.load()
    read = cpu.uc.reg_read
    with _wide(cpu) as wide:
        names = GENERAL if wide else _NARROW
        general = [int(read(_register(name))) for name in names]
        fpu = Fpu(
            control=int(read(x86.UC_X86_REG_FPCW)),
            status=int(read(x86.UC_X86_REG_FPSW)),
            tag=int(read(x86.UC_X86_REG_FPTAG)),
            registers=[tuple(read(_register(f"fp{n}"))) for n in range(8)],
        )
        vectors = [
            int(read(_register(f"xmm{n}"))).to_bytes(16, "little") for n in range(16 if wide else 8)
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
        shadow=bool(state.hflags & _HF_SHADOW),
    )


def load(cpu: Cpu, saved: VcpuState) -> None:
    """Make the CPU what it was; it must not run, and be as after a reset.

    Raises:
        UnsupportedError: this build of Unicorn cannot be made so.
    """
    whole(cpu)
    if saved.msrs.get(EFER, 0) & _LMA and cpu.internals is None:
        raise UnsupportedError("the saved CPU is in long mode, which is not used of Unicorn here")
    for number, value in saved.msrs.items():
        if number in MSRS:
            _set_msr(cpu, number, value)
    _load_units(cpu, saved)
    go_on(
        cpu, general=saved.general,
        segments={index: saved.segment(index) for index in range(_SEGMENTS)},
        control={n: value for n, value in saved.control.items() if n in _CONTROL},
        efer=saved.msrs.get(EFER, 0), rflags=saved.rflags, rip=saved.rip, shadow=saved.shadow,
    )  # fmt: skip
    cpu.a20_mask = A20_OPEN if saved.a20 else A20_CLOSED
    cpu.apply_a20()


def go_on(
    cpu: Cpu, *, general: Sequence[int] = (), segments: Mapping[int, Segment],
    control: Mapping[int, int], efer: int, rflags: int, rip: int, shadow: bool = False,
) -> None:  # fmt: skip
    """Have the CPU go on somewhere, in whichever mode.

    Args:
        cpu: it must not run.
        general: the general registers, from the first on.
        segments: by number; those that are missing stay.
        control: control registers by number; those that are missing stay.
        efer: as it shall be.
        rflags: as they shall be.
        rip: where it goes on, 64 bits.
        shadow: whether no interrupt is taken before the next instruction.

    Raises:
        UnsupportedError: this build of Unicorn cannot be made so.
    """
    state = whole(cpu)
    _set_msr(cpu, EFER, efer)
    state.load()
    for index, value in enumerate(general):
        if index < len(_NARROW) or cpu.internals is not None:
            state.set_wide_general(index, value)
    for n, value in control.items():
        state.set_control(n, value)
    for index, each in segments.items():
        # The library keeps the flags of a task from before it marked it as busy, and checks that.
        flags = each.flags & ~_TASK_BUSY if index == TR else each.flags
        state.set_raw_segment(index, each._replace(flags=flags))
    state.set_pc(rip)
    state.eflags = rflags & 0xFFFF_FFFF
    mode = derived_mode(state, efer, rflags) | (_HF_SHADOW if shadow else 0)
    state.hflags = state.hflags & ~_HF_DERIVED | mode
    state.save()
    flush_tlb(cpu.uc)


def debug(cpu: Cpu, numbers: Iterable[int]) -> dict[int, int]:
    """Return debug registers."""
    with _wide(cpu):
        return {n: int(cpu.uc.reg_read(_register(f"dr{n}"))) for n in numbers}


def set_debug(cpu: Cpu, values: Mapping[int, int]) -> None:
    """Set debug registers, of a CPU that does not run."""
    with _wide(cpu):
        for n, value in values.items():
            cpu.uc.reg_write(_register(f"dr{n}"), value)


def _load_units(cpu: Cpu, saved: VcpuState) -> None:
    """Load the debug registers, the x87 unit and SSE."""
    write = cpu.uc.reg_write
    set_debug(cpu, {n: value for n, value in saved.debug.items() if n in _DEBUG})
    with _wide(cpu) as wide:
        write(x86.UC_X86_REG_FPCW, saved.fpu.control)
        write(x86.UC_X86_REG_FPSW, saved.fpu.status)
        write(x86.UC_X86_REG_FPTAG, saved.fpu.tag)
        for n, pair in enumerate(saved.fpu.registers):
            write(_register(f"fp{n}"), pair)
        for n, vector in enumerate(saved.vectors[: 16 if wide else 8]):
            write(_register(f"xmm{n}"), int.from_bytes(vector, "little"))
        write(x86.UC_X86_REG_MXCSR, saved.mxcsr)


def derived_mode(state: BlobState, efer: int, flags: int) -> int:
    """Return what of ``hflags`` follows from the other registers, which are set."""
    cr0, cr4 = state.control(0), state.control(4)
    code, stack = state.segment(CS), state.segment(SS)
    mode = stack.flags >> 13 & _HF_CPL | cr0 << 8 & _HF_OF_CR0 | flags & _HF_OF_FLAGS
    for holds, bit in (
        (cr0 & PROTECTION, _HF_PE), (efer & _LMA, _HF_LMA), (efer & _SVME, _HF_SVME),
        (cr4 & _OSFXSR, _HF_OSFXSR), (cr4 & _SMAP, _HF_SMAP),
    ):  # fmt: skip
        mode |= bit if holds else 0
    if efer & _LMA and code.flags & _DESC_LONG:
        return mode | _HF_CS32 | _HF_SS32 | _HF_CS64
    wide_code = code.flags & DESC_BIG
    mode |= (_HF_CS32 if wide_code else 0) | (_HF_SS32 if stack.flags & DESC_BIG else 0)
    flat = cr0 & PROTECTION and not flags & VM and wide_code
    if not flat or any(state.segment(index).base for index in (DS, ES, SS)):
        mode |= _HF_ADDSEG
    return mode


def whole(cpu: Cpu) -> BlobState:
    """Return all registers of a CPU.

    Raises:
        UnsupportedError: this build of Unicorn does not show them.
    """
    if not isinstance(cpu.state, BlobState):
        raise UnsupportedError("this build of Unicorn does not show all of the CPU's registers")
    return cpu.state


def _register(name: str) -> int:
    number: int = getattr(x86, f"UC_X86_REG_{name.upper()}")
    return number


@contextmanager
def _wide(cpu: Cpu) -> Iterator[bool]:
    """Have the library's interface show 64-bit registers, where that can be."""
    if cpu.internals is None:
        yield False
        return
    with cpu.internals.wide_registers():
        yield True


def msr(cpu: Cpu, number: int) -> int:
    """Return a model specific register."""
    return int(cpu.uc.msr_read(number))


def _set_msr(cpu: Cpu, number: int, value: int) -> None:
    if number == EFER and cpu.internals is not None and cpu.internals.set_msr(number, value):
        return  # the library itself leaves the bits alone that a guest cannot write
    cpu.uc.msr_write(number, value)
