"""System management mode: whether a CPU is in it, and what takes it in and out.

The library has the mode, but no address space for it, and its RSM is an invalid instruction
elsewhere. So the CPU is never in the mode as far as the library knows: an SMI is taken here, while
the CPU is outside, and RSM comes as the exception that it is to the library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel.unicorn.paging import GuestFault
from guestmap.accel.unicorn.state import CS
from guestmap.accel.vcpu import RESET_SMBASE

if TYPE_CHECKING:
    from guestmap.accel.unicorn.cpu import Cpu
    from guestmap.memory import AddressSpace

_RSM = b"\x0f\xaa"
_PREFIXES = b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf2\xf3"
_LONGEST = 15


class SystemManagement:
    """The mode of one CPU.

    Args:
        cpu: the CPU.

    Attributes:
        active: whether it is in it.
        pending: whether an SMI waits.
        returns: whether RSM is to be carried out, by :meth:`leave`.
        base: SMBASE.
    """

    def __init__(self, cpu: Cpu) -> None:
        self._cpu = cpu
        self.reset()

    def reset(self) -> None:
        """Put it as it is after RESET#."""
        self.active = self.pending = self.returns = False
        self.base = RESET_SMBASE

    @property
    def is_due(self) -> bool:
        """Whether an SMI is to be taken now."""
        return self.pending and not self.active

    def meets_return(self) -> bool:
        """Tell whether the CPU, at an invalid instruction, is at RSM; it is to be left then."""
        if not self.active:
            return False
        state = self._cpu.state
        at = state.segment(CS).base + state.pc
        code = b""
        try:
            while len(code) < _LONGEST and code.lstrip(_PREFIXES) in {b"", _RSM[:1]}:
                code += bytes((self._cpu.linear.load(at + len(code), 1),))
        except GuestFault:
            return False
        self.returns = code.lstrip(_PREFIXES) == _RSM
        return self.returns

    def enter(self, memory: AddressSpace) -> None:
        """Take the SMI that is due. The CPU must not run.

        Args:
            memory: what the CPU sees in the mode; it must be shown that afterwards.
        """
        from guestmap.accel.unicorn import save_area

        save_area.save(self._cpu, memory, self.base)
        self.pending, self.active = False, True

    def leave(self, memory: AddressSpace) -> None:
        """Carry out RSM; else as :meth:`enter`."""
        from guestmap.accel.unicorn import save_area

        self.active = self.returns = False
        self.base = save_area.restore(self._cpu, memory, self.base)
