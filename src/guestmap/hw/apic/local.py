"""A local APIC: one CPU's registers, and its timer.

Registers after Intel SDM volume 3, "Advanced Programmable Interrupt Controller", as QEMU 7.2's
``apic`` has them: version 14h, six local vectors, a timer of 1 GHz. What they make of interrupts
is :mod:`guestmap.hw.apic.interrupts`'s; the page they appear in, and the messages between APICs,
are :mod:`guestmap.hw.apic.bus`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.apic import registers as reg
from guestmap.hw.apic.interrupts import LocalInterrupts
from guestmap.hw.apic.registers import LocalApicState
from guestmap.hw.apic.timer import LapicTimer
from guestmap.hw.declare import SWITCH, declare, fact, setting
from guestmap.qom import BOOL, UINT8, UINT32

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.base import Clock

APIC_COMMON = declare(
    "apic-common",
    "device",
    setting("version", UINT8, reg.VERSION),
    setting("vapic", BOOL, True, SWITCH),
    fact("legacy-instance-id", BOOL, False),
    abstract=True,
)


class LocalApic(LocalInterrupts):
    """The APIC of CPU ``cpu``.

    Args:
        cpu: the CPU's number; CPU 0 is the bootstrap processor.
        apic_id: the ID after reset.
        clock: the timer's source.
        vapic: whether QEMU's kvmvapic option port is there, which is told and not used.

    Attributes:
        startup: called with the vector of a start-up message.
        send_ipi: called after a write to the interrupt command register.
    """

    TYPE = declare("apic", APIC_COMMON, fact("id", UINT32, 0))
    OUTLIVES_RESET = ("pic_level",)

    def __init__(self, cpu: int, apic_id: int, clock: Clock, *, vapic: bool = True) -> None:
        super().__init__(cpu, {"id": apic_id, "vapic": vapic})
        self._reset_id = apic_id
        self.startup: Callable[[int], None] | None = None
        self.send_ipi: Callable[[LocalApic], None] | None = None
        self.timer = LapicTimer(clock, lambda: self._local_interrupt(reg.LVT_TIMER))
        self.reset()

    @property
    def id(self) -> int:
        """Its ID, which the guest may change."""
        return self.state.id

    @property
    def base(self) -> int:
        """The IA32_APIC_BASE register."""
        return self.state.base

    @property
    def tpr(self) -> int:
        """The task priority register."""
        return self.state.tpr

    @property
    def svr(self) -> int:
        """The spurious-interrupt vector register."""
        return self.state.svr

    def reset(self) -> None:
        """Power-on: enabled at FEE00000h, software-disabled, every local vector masked."""
        self.state.id = self._reset_id
        self.state.base = reg.BASE_ADDRESS | reg.BASE_ENABLE | (0 if self.cpu else reg.BASE_BSP)
        self.init_reset()

    def init_reset(self) -> None:
        """What an INIT message resets: all but the ID and the base."""
        old = self.state
        self.state = LocalApicState(id=old.id, base=old.base, pic_level=old.pic_level)
        self.isr = self.tmr = self.irr = 0
        self.timer.reset()
        self.update()

    def save(self) -> LocalApicState:
        """Return the registers and the timer."""
        state = self.state
        state.isr, state.tmr, state.irr = map(_bytes, (self.isr, self.tmr, self.irr))
        state.timer = self.timer.save()
        return super().save()

    def load(self, state: LocalApicState) -> None:
        """Go on from there; the CPU's pin is as it must be then."""
        super().load(state)
        new = self.state
        self.isr, self.tmr, self.irr = map(_integer, (new.isr, new.tmr, new.irr))
        self.timer.load(new.timer)
        self.update()

    def set_base(self, value: int) -> None:
        """Take a write of the IA32_APIC_BASE register; once disabled it stays so until reset."""
        self.state.base = (
            value & 0xFFFFFF000
            | self.state.base & value & reg.BASE_ENABLE
            | self.state.base & reg.BASE_BSP
        )
        if not value & reg.BASE_ENABLE:
            self.state.svr &= ~reg.ENABLE
        self.update()

    # -- registers -------------------------------------------------------------------------------

    def read(self, register: int) -> int:
        """Return the 32-bit register with that number (its offset in the page, divided by 16)."""
        if register == reg.CURRENT_COUNT:
            return self.timer.current_count()
        if register in reg.ARRAYS:
            array = (self.isr, self.tmr, self.irr)[(register - reg.ISR) >> 3]
            return array >> 32 * (register & 7) & 0xFFFFFFFF
        if reg.LVT <= register < reg.LVT + reg.LVT_COUNT:
            return self.state.lvt[register - reg.LVT]
        reader = _READERS.get(register)
        if reader is None:
            self.state.esr |= reg.ESR_ILLEGAL_ADDRESS
            return 0
        return reader(self)

    def write(self, register: int, value: int) -> None:
        """Write 32 bits to the register with that number."""
        if register == reg.EOI:
            self._end_of_interrupt()
        elif register == reg.TPR:
            self.state.tpr = value & 0xFF
            self.update()
        elif reg.LVT <= register < reg.LVT + reg.LVT_COUNT:
            self._write_lvt(register - reg.LVT, value)
        elif register == reg.ICR:
            self.state.icr = value
            if self.send_ipi is not None:
                self.send_ipi(self)
        elif register in (reg.INITIAL_COUNT, reg.DIVIDE):
            self._write_timer(register, value)
        else:
            self._write_setup(register, value)

    def _write_setup(self, register: int, value: int) -> None:
        if register == reg.ICR_HIGH:
            self.state.icr_high = value
        elif register == reg.SVR:
            self.state.svr = value & 0x1FF
            self.update()
        elif register == reg.ID:
            self.state.id = value >> 24
        elif register == reg.LDR:
            self.state.logical_id = value >> 24
        elif register == reg.DFR:
            self.state.destination_format = value >> 28
        elif register not in reg.READ_ONLY:
            self.state.esr |= reg.ESR_ILLEGAL_ADDRESS

    def _write_lvt(self, number: int, value: int) -> None:
        self.state.lvt[number] = value
        if number == reg.LVT_TIMER:
            self.timer.set_mode(value)
        elif number == reg.LVT_LINT0:
            if self.state.pic_level and self.state.base & reg.BASE_ENABLE:
                self._local_interrupt(reg.LVT_LINT0)
            self.update()

    def _write_timer(self, register: int, value: int) -> None:
        if register == reg.INITIAL_COUNT:
            self.timer.start(value)
        else:
            self.timer.set_divide(value)


def _bytes(bits: int) -> bytes:
    return bits.to_bytes(len(reg.NO_VECTORS), "little")


def _integer(bits: bytes) -> int:
    return int.from_bytes(bits, "little")


_READERS: dict[int, Callable[[LocalApic], int]] = {
    reg.ID: lambda apic: apic.state.id << 24,
    reg.VERSION_REGISTER: lambda _apic: reg.VERSION | (reg.LVT_COUNT - 1) << 16,
    reg.TPR: lambda apic: apic.state.tpr,
    reg.APR: lambda _apic: 0,
    reg.PPR: lambda apic: apic.ppr,
    reg.EOI: lambda _apic: 0,
    reg.LDR: lambda apic: apic.state.logical_id << 24,
    reg.DFR: lambda apic: apic.state.destination_format << 28 | 0x0FFFFFFF,
    reg.SVR: lambda apic: apic.state.svr,
    reg.ESR: lambda apic: apic.state.esr,
    reg.ICR: lambda apic: apic.state.icr,
    reg.ICR_HIGH: lambda apic: apic.state.icr_high,
    reg.INITIAL_COUNT: lambda apic: apic.timer.initial_count,
    reg.DIVIDE: lambda apic: apic.timer.divide,
}
