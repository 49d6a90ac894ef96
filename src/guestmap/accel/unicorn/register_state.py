"""The CPU's registers as far as Unicorn's register interface goes: real mode, no error codes."""

from __future__ import annotations

from typing import Any

from guestmap.accel.types import Segment
from guestmap.accel.unicorn.binding import x86
from guestmap.accel.unicorn.state import EAX, EBX, ECX, EDX, IF, LDTR

_TABLES = (x86.UC_X86_REG_LDTR, x86.UC_X86_REG_TR, x86.UC_X86_REG_GDTR, x86.UC_X86_REG_IDTR)
_SELECTORS = (
    x86.UC_X86_REG_ES, x86.UC_X86_REG_CS, x86.UC_X86_REG_SS,
    x86.UC_X86_REG_DS, x86.UC_X86_REG_FS, x86.UC_X86_REG_GS,
)  # fmt: skip
_GENERAL = (
    x86.UC_X86_REG_EAX, x86.UC_X86_REG_ECX, x86.UC_X86_REG_EDX, x86.UC_X86_REG_EBX,
    x86.UC_X86_REG_ESP, x86.UC_X86_REG_EBP, x86.UC_X86_REG_ESI, x86.UC_X86_REG_EDI,
)  # fmt: skip


class RegisterState:
    """What the register interface shows; each access goes to the CPU at once."""

    complete = False
    a20_mask = 0xFFFFFFFF
    error_code = 0
    software_return: int | None = None
    cpl = 0
    long_mode = False

    def __init__(self, uc: Any) -> None:
        self._uc = uc

    def load(self) -> None:
        """Do nothing: there is no copy."""

    def save(self) -> None:
        """Do nothing: there is no copy."""

    def general(self, index: int) -> int:
        """Return a general register."""
        return int(self._uc.reg_read(_GENERAL[index]))

    def arguments(self) -> tuple[int, int, int, int]:
        """Return EAX, ECX, EDX and EBX."""
        return self.general(EAX), self.general(ECX), self.general(EDX), self.general(EBX)

    def set_general(self, index: int, value: int) -> None:
        """Set a general register."""
        self._uc.reg_write(_GENERAL[index], value)

    @property
    def pc(self) -> int:
        """Where a run begins: the instruction pointer."""
        return self.eip

    @property
    def eip(self) -> int:
        """The instruction pointer."""
        return int(self._uc.reg_read(x86.UC_X86_REG_EIP))

    @eip.setter
    def eip(self, value: int) -> None:
        self._uc.reg_write(x86.UC_X86_REG_EIP, value)

    @property
    def eflags(self) -> int:
        """All flags."""
        return int(self._uc.reg_read(x86.UC_X86_REG_EFLAGS))

    @eflags.setter
    def eflags(self, value: int) -> None:
        self._uc.reg_write(x86.UC_X86_REG_EFLAGS, value | 2)

    def control(self, index: int) -> int:
        """Return a control register."""
        return int(self._uc.reg_read(x86.UC_X86_REG_CR0 + index))

    def set_cr2(self, address: int) -> None:
        """Set the address of a page fault."""
        self._uc.reg_write(x86.UC_X86_REG_CR2, address)

    def segment(self, index: int) -> Segment:
        """Return selector and, as real mode has it, base; limit too for the tables."""
        if index >= LDTR:
            selector, base, limit, flags = self._uc.reg_read(_TABLES[index - LDTR])
            return Segment(selector, base, limit, flags)
        selector = int(self._uc.reg_read(_SELECTORS[index]))
        return Segment(selector, selector << 4, 0xFFFF)

    def set_segment(self, index: int, segment: Segment) -> None:
        """Set the selector; the CPU loads the rest. Tables take everything."""
        if index >= LDTR:
            self._uc.reg_write(_TABLES[index - LDTR], tuple(segment))
        else:
            self._uc.reg_write(_SELECTORS[index], segment.selector)

    @property
    def interruptible(self) -> bool:
        """IF; whether the last instruction was STI or MOV SS is not visible."""
        return bool(self.eflags & IF)
