"""A CPU put somewhere, in whichever mode: registers, and what the library derives from them.

Registers whose hidden parts and effects the library's interface gets wrong or refuses are set where
they are kept, and what follows from them (``hflags``: the mode that code is translated for) is
derived here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from guestmap.accel.types import Segment
from guestmap.accel.unicorn.binding import x86
from guestmap.accel.unicorn.blob_state import BlobState
from guestmap.accel.unicorn.internals.findings import MSRS
from guestmap.accel.unicorn.state import CS, DESC_BIG, DS, ES, PROTECTION, SS, TR, VM
from guestmap.accel.unicorn.window import flush_tlb
from guestmap.base import UnsupportedError

if TYPE_CHECKING:
    from guestmap.accel.unicorn.cpu import Cpu

EFER = MSRS["EFER"]
EIGHT = 8
"""General registers that the documented interface shows of a CPU in 32-bit mode."""

LMA, _SVME = 1 << 10, 1 << 12  # of EFER
_OSFXSR, _SMAP = 1 << 9, 1 << 21  # of CR4
_DESC_LONG, _TASK_BUSY = 1 << 21, 1 << 9

_HF_CPL, HF_SHADOW, _HF_CS32, _HF_SS32, _HF_ADDSEG, _HF_PE = (
    3, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7,
)  # fmt: skip
_HF_LMA, _HF_CS64, _HF_SVME, _HF_OSFXSR, _HF_SMAP = 1 << 14, 1 << 15, 1 << 20, 1 << 22, 1 << 23
_HF_OF_CR0 = 7 << 9  # MP, EM, TS
_HF_OF_FLAGS = 1 << 8 | 3 << 12 | 1 << 17  # TF, IOPL, VM: are in the flags, and would stay here
_HF_DERIVED = (
    _HF_CPL | HF_SHADOW | _HF_CS32 | _HF_SS32 | _HF_ADDSEG | _HF_PE | _HF_LMA | _HF_CS64
    | _HF_SVME | _HF_OSFXSR | _HF_SMAP | _HF_OF_CR0 | _HF_OF_FLAGS
)  # fmt: skip


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
    set_msr(cpu, EFER, efer)
    state.load()
    for index, value in enumerate(general):
        if index < EIGHT or cpu.internals is not None:
            state.set_wide_general(index, value)
    for n, value in control.items():
        state.set_control(n, value)
    for index, each in segments.items():
        # The library keeps the flags of a task from before it marked it as busy, and checks that.
        flags = each.flags & ~_TASK_BUSY if index == TR else each.flags
        state.set_raw_segment(index, each._replace(flags=flags))
    state.set_pc(rip)
    state.eflags = rflags & 0xFFFF_FFFF
    mode = derived_mode(state, efer, rflags) | (HF_SHADOW if shadow else 0)
    state.hflags = state.hflags & ~_HF_DERIVED | mode
    state.save()
    flush_tlb(cpu.uc)


def debug(cpu: Cpu, numbers: Iterable[int]) -> dict[int, int]:
    """Return debug registers."""
    with wide_registers(cpu):
        return {n: int(cpu.uc.reg_read(register(f"dr{n}"))) for n in numbers}


def set_debug(cpu: Cpu, values: Mapping[int, int]) -> None:
    """Set debug registers, of a CPU that does not run."""
    with wide_registers(cpu):
        for n, value in values.items():
            cpu.uc.reg_write(register(f"dr{n}"), value)


def derived_mode(state: BlobState, efer: int, flags: int) -> int:
    """Return what of ``hflags`` follows from the other registers, which are set."""
    cr0, cr4 = state.control(0), state.control(4)
    code, stack = state.segment(CS), state.segment(SS)
    mode = stack.flags >> 13 & _HF_CPL | cr0 << 8 & _HF_OF_CR0
    for holds, bit in (
        (cr0 & PROTECTION, _HF_PE), (efer & LMA, _HF_LMA), (efer & _SVME, _HF_SVME),
        (cr4 & _OSFXSR, _HF_OSFXSR), (cr4 & _SMAP, _HF_SMAP),
    ):  # fmt: skip
        mode |= bit if holds else 0
    if efer & LMA and code.flags & _DESC_LONG:
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


def register(name: str) -> int:
    """Return the number of a register in the library's interface."""
    number: int = getattr(x86, f"UC_X86_REG_{name.upper()}")
    return number


@contextmanager
def wide_registers(cpu: Cpu) -> Iterator[bool]:
    """Have the library's interface show 64-bit registers, where that can be."""
    if cpu.internals is None:
        yield False
        return
    with cpu.internals.wide_registers():
        yield True


def msr(cpu: Cpu, number: int) -> int:
    """Return a model specific register."""
    return int(cpu.uc.msr_read(number))


def set_msr(cpu: Cpu, number: int, value: int) -> None:
    """Set a model specific register."""
    if number == EFER and cpu.internals is not None and cpu.internals.set_msr(number, value):
        return  # the library itself leaves the bits alone that a guest cannot write
    cpu.uc.msr_write(number, value)
