"""The CPU's registers as interrupt delivery needs them, and the numbers of the architecture.

Bits and indexes: Intel SDM, volume 1, section 3.4 and volume 3, sections 2.5 and 3.4.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from guestmap.accel.types import Segment

EAX, ECX, EDX, EBX, ESP, _EBP, ESI, EDI = range(8)
ES, CS, SS, DS, FS, GS, LDTR, TR, GDTR, IDTR = range(10)

CF, TF, IF, RF, NT, VM, AC = 1, 1 << 8, 1 << 9, 1 << 16, 1 << 14, 1 << 17, 1 << 18
IOPL_SHIFT = 12
PROTECTION, WRITE_PROTECT, PAGING = 1, 1 << 16, 1 << 31

DESC_LONG, DESC_BIG = 1 << 21, 1 << 22
DESC_DPL_SHIFT = 13


class CpuState(Protocol):
    """A copy of the registers: :meth:`load` it, change it, :meth:`save` it."""

    eip: int
    eflags: int
    a20_mask: int
    """32 bits, ANDed to each physical address; bits above are left alone."""
    complete: bool
    """Hidden parts, protected mode and error codes are there."""

    def load(self) -> None:
        """Copy from the CPU."""

    def save(self) -> None:
        """Copy to the CPU, and forget the exception that was being delivered."""

    def general(self, index: int) -> int:
        """Return a general register."""

    def arguments(self) -> tuple[int, int, int, int]:
        """Return EAX, ECX, EDX and EBX, what calls of firmware have arguments in."""

    def set_general(self, index: int, value: int) -> None:
        """Set a general register."""

    def control(self, index: int) -> int:
        """Return a control register."""

    def segment(self, index: int) -> Segment:
        """Return a segment register."""

    def set_segment(self, index: int, segment: Segment) -> None:
        """Set a segment register."""

    def set_cr2(self, address: int) -> None:
        """Set the address of a page fault."""

    @property
    def interruptible(self) -> bool:
        """Whether the CPU takes interrupts now: IF, and not right after STI or MOV SS."""

    @property
    def error_code(self) -> int:
        """The error code of the last exception."""

    @property
    def software_return(self) -> int | None:
        """The instruction after INT n, where the last exception is one."""

    @property
    def cpl(self) -> int:
        """The privilege level, 0 to 3."""

    @property
    def long_mode(self) -> bool:
        """Whether the CPU is in 64-bit or compatibility mode."""
