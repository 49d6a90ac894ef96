"""Interrupts and exceptions that Python delivers, where the library does not: the documented way.

Its hooks are called in the thread that runs the CPU. Nothing here may raise but what a device
callback raised.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from guestmap.accel.exits import Exit, ExitReason
from guestmap.accel.types import Segment
from guestmap.accel.unicorn.binding import uc_api, x86
from guestmap.accel.unicorn.delivery import INVALID_OPCODE, PROTECTION_FAULT, Cause, Delivery
from guestmap.accel.unicorn.state import CS, ESP, IF, PAGING, PROTECTION, RF, SS, VM
from guestmap.base import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.accel.counters import Counters
    from guestmap.accel.unicorn.cpu import Cpu
    from guestmap.accel.unicorn.hooks import Hooks
    from guestmap.accel.unicorn.mapper import Mapper

_INT3, _INT_N = 0xCC, 0xCD
_SYSENTER_CS, _SYSENTER_ESP, _SYSENTER_EIP = 0x174, 0x175, 0x176  # Intel SDM volume 4
_SYSENTER_LENGTH = 2
_FLAT_CODE, _FLAT_DATA = 0x00CF9B00, 0x00CF9300


class Interrupts:
    """Delivers to one CPU.

    Args:
        cpu: the CPU.
        hooks: its other callbacks.
        mapper: of its memory map.
        counters: what happens is counted there.
        end: ends its run.
        leave: makes it leave the guest, and be prepared before it goes on.
    """

    def __init__(
        self, cpu: Cpu, hooks: Hooks, mapper: Mapper, counters: Counters, *,
        end: Callable[[Exit], None], leave: Callable[[], None],
    ) -> None:  # fmt: skip
        self._uc = cpu.uc
        self._state = cpu.state
        self._leaving = cpu.leaving
        self._delivery = Delivery(cpu.state, cpu.linear)
        self._hooks = hooks
        self._mapper = mapper
        self._counters = counters
        self._end = end
        self._leave = leave

    def install(self) -> None:
        """Hook INT n, exceptions and invalid instructions."""
        self._uc.hook_add(uc_api.UC_HOOK_INTR, self._interrupt)
        self._uc.hook_add(uc_api.UC_HOOK_INSN_INVALID, self._invalid_opcode)
        if self._state.complete:
            kind, instruction = uc_api.UC_HOOK_INSN, x86.UC_X86_INS_SYSENTER
            self._uc.hook_add(kind, self._sysenter, None, 1, 0, instruction)

    def external(self, vector: int) -> None:
        """Deliver an interrupt for the loaded state."""
        self._deliver(vector, Cause.EXTERNAL)

    def _interrupt(self, _uc: Any, vector: int, _data: object) -> None:
        state = self._state
        state.load()
        if self._is_software(vector):
            self._software_interrupt(vector)
        else:
            self._exception(vector)
        self._leaving.honour()

    def _invalid_opcode(self, _uc: Any, _data: object) -> bool:
        state = self._state
        state.load()
        if self._hooks.meets_return():
            return True
        following = state.software_return
        if following is None:
            self._exception(INVALID_OPCODE)
        else:  # INT 6: Unicorn takes it for the exception of that number
            state.eip = following
            self._software_interrupt(INVALID_OPCODE)
        self._leaving.honour()
        return True

    def _sysenter(self, _uc: Any, _data: object) -> None:
        """Do what the library skips (Intel SDM volume 2, "SYSENTER"); its way back is whole."""
        state, msr = self._state, self._uc.msr_read
        state.load()
        selector = msr(_SYSENTER_CS) & 0xFFFF
        if selector & ~3 and state.control(0) & PROTECTION:
            state.eflags &= ~(VM | IF | RF)
            state.set_segment(CS, Segment(selector & 0xFFFC, 0, 0xFFFFFFFF, _FLAT_CODE))
            state.set_segment(SS, Segment(selector + 8 & 0xFFFC, 0, 0xFFFFFFFF, _FLAT_DATA))
            state.set_general(ESP, msr(_SYSENTER_ESP))
            state.eip = msr(_SYSENTER_EIP)
        else:
            self._deliver(PROTECTION_FAULT, Cause.EXCEPTION)
        state.eip -= _SYSENTER_LENGTH  # the library adds it afterwards
        state.save()
        self._leaving.honour()

    def _is_software(self, vector: int) -> bool:
        if self._state.complete:
            return self._state.software_return is not None
        address = self._state.segment(CS).base + self._state.eip
        before = self._hooks.memory.read(address - 2, 2)
        return before == bytes((_INT_N, vector)) or (vector == 3 and before[1] == _INT3)

    def _software_interrupt(self, vector: int) -> None:
        """Deliver INT n for the loaded state, which is after the instruction."""
        self._counters.software_interrupts += 1
        self._hooks.tell_observers(vector)
        self._deliver(vector, Cause.SOFTWARE)

    def _exception(self, vector: int) -> None:
        """Deliver an exception for the loaded state."""
        self._counters.exceptions += 1
        if not self._state.complete:
            text = (
                f"exception {vector:#x} at {self._where()}: this build of Unicorn gets them wrong"
            )
            self._end(Exit(ExitReason.ERROR, text))
            return
        self._deliver(vector, Cause.EXCEPTION, self._state.error_code)

    def _deliver(self, vector: int, cause: Cause, error_code: int = 0) -> None:
        """Deliver to the loaded state, and give that to the CPU."""
        state = self._state
        # Where addresses are translated, dropping stale code means leaving the CPU: too dear for a
        # push on a stack that no code was translated from.
        self._mapper.muted = threading.get_ident() if state.control(0) & PAGING else None
        try:
            delivered = self._delivery.deliver(vector, cause, error_code)
        except UnsupportedError as error:
            self._give_up(Exit(ExitReason.ERROR, f"{error}, at {self._where()}"))
            return
        finally:
            self._mapper.muted = None
        if not delivered:
            text = f"triple fault: {cause.value} {vector:#x} at {self._where()}"
            self._give_up(Exit(ExitReason.SHUTDOWN, text))
            return
        state.save()
        if not state.complete:
            # Setting EIP in a hook makes Unicorn lose track of it until the CPU is entered again.
            self._leave()

    def _give_up(self, end: Exit) -> None:
        """End the run where the CPU is: nothing can be delivered to it any more.

        Interrupts go off, or one that waits would be tried, and fault, again and again before the
        CPU looks at the call to leave.
        """
        self._state.eflags &= ~IF
        self._state.save()
        self._end(end)

    def _where(self) -> str:
        return f"{self._state.segment(CS).selector:04x}:{self._state.eip:08x}"
