"""A local APIC: one CPU's registers, its pending interrupts, its timer.

Registers after Intel SDM volume 3, "Advanced Programmable Interrupt Controller", as QEMU 7.2's
``apic`` has them: version 14h, six local vectors, a timer of 1 GHz. The page they appear in, and
the messages between APICs, are :mod:`guestmap.hw.apic.bus`'s.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Annotated

from guestmap.base import IrqLine
from guestmap.base.bounds import Meta, bounded
from guestmap.base.dataclass import dataclass
from guestmap.hw.apic.message import DeliveryMode
from guestmap.hw.apic.timer import LapicTimer, LapicTimerState
from guestmap.hw.declare import SWITCH, declare, fact, setting
from guestmap.hw.device import U8, U32, U64, Device
from guestmap.qom import BOOL, UINT8, UINT32

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.base import Clock

VERSION = 0x14
LVT_TIMER, LVT_THERMAL, LVT_PERFORMANCE, LVT_LINT0, LVT_LINT1, LVT_ERROR = range(6)
_LVT_COUNT = 6

_MASKED = 1 << 16
_LEVEL = 1 << 15
_ENABLE = 1 << 8  # of the spurious-interrupt vector register
_NO_EOI_BROADCAST = 1 << 12
_ESR_ILLEGAL_ADDRESS = 1 << 7

_BASE_ADDRESS = 0xFEE00000
_BASE_ENABLE = 1 << 11
_BASE_BSP = 1 << 8

# Register numbers: byte offset in the page, divided by 16.
_ID, _VERSION, _TPR, _APR, _PPR, _EOI = 0x02, 0x03, 0x08, 0x09, 0x0A, 0x0B
_LDR, _DFR, _SVR, _ISR, _TMR, _IRR, _ESR = 0x0D, 0x0E, 0x0F, 0x10, 0x18, 0x20, 0x28
_ICR, _ICR_HIGH, _LVT = 0x30, 0x31, 0x32
_INITIAL_COUNT, _CURRENT_COUNT, _DIVIDE = 0x38, 0x39, 0x3E
_ARRAYS = range(_ISR, _ESR)
_READ_ONLY = (_VERSION, _APR, _PPR, _CURRENT_COUNT, *_ARRAYS, _ESR)


_BITS = 256
_NONE = bytes(_BITS // 8)
if TYPE_CHECKING:
    Bits = bytes
else:
    Bits = bounded(bytes, min_length=len(_NONE), max_length=len(_NONE))


@dataclass(slots=True)
class LocalApicState:
    """The registers, as after an INIT message.

    Attributes:
        isr, tmr, irr: in service, trigger mode and requested: a bit for each vector. They are the
            APIC's own integers until they are saved.
        pic_level: of LINT0, the wire from the PIC.
    """

    id: U8 = 0
    base: U64 = _BASE_ADDRESS | _BASE_ENABLE
    tpr: U8 = 0
    svr: Annotated[int, Meta(ge=0, le=0x1FF)] = 0xFF
    logical_id: U8 = 0
    destination_format: Annotated[int, Meta(ge=0, le=0xF)] = 0xF
    isr: Bits = _NONE
    tmr: Bits = _NONE
    irr: Bits = _NONE
    esr: U8 = 0
    icr: U32 = 0
    icr_high: U32 = 0
    lvt: Annotated[list[U32], Meta(min_length=_LVT_COUNT, max_length=_LVT_COUNT)] = field(
        default_factory=lambda: [_MASKED] * _LVT_COUNT
    )
    pic_level: bool = False
    timer: LapicTimerState = field(default_factory=LapicTimerState)


APIC_COMMON = declare(
    "apic-common",
    "device",
    setting("version", UINT8, VERSION),
    setting("vapic", BOOL, True, SWITCH),
    fact("legacy-instance-id", BOOL, False),
    abstract=True,
)


class LocalApic(Device[LocalApicState]):
    """The APIC of CPU ``cpu``.

    Args:
        cpu: the CPU's number; CPU 0 is the bootstrap processor.
        apic_id: the ID after reset.
        clock: the timer's source.
        vapic: whether QEMU's kvmvapic option port is there, which is told and not used.

    Attributes:
        isr, tmr, irr: 256 bits each.
        intr: high while the CPU has an interrupt to take; :meth:`acknowledge` says which.
        nmi, smi, init: pulsed when such a message arrives.
        startup: called with the vector of a start-up message.
        send_ipi: called after a write to the interrupt command register.
        broadcast_eoi: called with the vector of a level-triggered interrupt that has ended.
    """

    TYPE = declare("apic", APIC_COMMON, fact("id", UINT32, 0))
    OUTLIVES_RESET = ("pic_level",)

    def __init__(self, cpu: int, apic_id: int, clock: Clock, *, vapic: bool = True) -> None:
        super().__init__(LocalApicState(), {"id": apic_id, "vapic": vapic})
        self.cpu = cpu
        self._reset_id = apic_id
        self.intr = IrqLine(name=f"cpu{cpu} intr")
        self.nmi = IrqLine(name=f"cpu{cpu} nmi")
        self.smi = IrqLine(name=f"cpu{cpu} smi")
        self.init = IrqLine(name=f"cpu{cpu} init")
        self.startup: Callable[[int], None] | None = None
        self.send_ipi: Callable[[LocalApic], None] | None = None
        self.broadcast_eoi: Callable[[int], None] | None = None
        self.timer = LapicTimer(clock, lambda: self._local_interrupt(LVT_TIMER))
        self.isr = self.tmr = self.irr = 0
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
        self.state.base = _BASE_ADDRESS | _BASE_ENABLE | (0 if self.cpu else _BASE_BSP)
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
            | self.state.base & value & _BASE_ENABLE
            | self.state.base & _BASE_BSP
        )
        if not value & _BASE_ENABLE:
            self.state.svr &= ~_ENABLE
        self.update()

    # -- interrupts ------------------------------------------------------------------------------

    @property
    def ppr(self) -> int:
        """Processor priority: the higher of the task's and the interrupt's in service."""
        in_service = max(0, self.isr.bit_length() - 1) & 0xF0
        return self.state.tpr if self.state.tpr & 0xF0 >= in_service else in_service

    @property
    def accepts_pic(self) -> bool:
        """The PIC's INTR reaches this CPU: APIC disabled, or LINT0 in virtual wire mode.

        LINT0 is masked at reset, so no PIC interrupt arrives until firmware has set it to ExtINT.
        """
        entry = self.state.lvt[LVT_LINT0]
        virtual_wire = not entry & _MASKED and entry >> 8 & 7 == DeliveryMode.EXT_INT
        return virtual_wire or not self.state.base & _BASE_ENABLE

    def set_pic_intr(self, level: bool) -> None:
        """Drive LINT0, the wire from the PIC's INTR output."""
        self.state.pic_level = level
        if self.state.base & _BASE_ENABLE:
            entry = self.state.lvt[LVT_LINT0]
            if level:
                self._local_interrupt(LVT_LINT0)
            elif not entry & _MASKED and entry & _LEVEL and entry >> 8 & 7 == DeliveryMode.FIXED:
                self.irr &= ~(1 << (entry & 0xFF))
        self.update()

    def request(self, vector: int, *, level: bool = False) -> None:
        """Make ``vector`` pending; an APIC that is disabled by software remembers it."""
        bit = 1 << (vector & 0xFF)
        self.irr |= bit
        self.tmr = self.tmr | bit if level else self.tmr & ~bit
        self.update()

    def update(self) -> None:
        """Drive ``intr`` after anything that it depends on has changed."""
        self.intr.set(self._deliverable() or (self.state.pic_level and self.accepts_pic))

    def acknowledge(self, pic_acknowledge: Callable[[], int]) -> int | None:
        """Return the vector of the interrupt that the CPU takes now, or None where there is none.

        Args:
            pic_acknowledge: asked for the vector where the interrupt is the PIC's.
        """
        if self.state.pic_level and self.accepts_pic:
            return pic_acknowledge()  # ExtINT knows no priority
        if not self._deliverable():
            # What was announced has meanwhile lost to a raised priority.
            return self.state.svr & 0xFF if self.irr and self.state.svr & _ENABLE else None
        vector = self.irr.bit_length() - 1
        self.irr &= ~(1 << vector)
        self.isr |= 1 << vector
        self.update()
        return vector

    def _deliverable(self) -> bool:
        if not self.irr or not self.state.svr & _ENABLE:
            return False
        return (self.irr.bit_length() - 1) & 0xF0 > self.ppr & 0xF0

    def _end_of_interrupt(self) -> None:
        if not self.isr:
            return
        vector = self.isr.bit_length() - 1
        self.isr &= ~(1 << vector)
        if self.tmr >> vector & 1 and not self.state.svr & _NO_EOI_BROADCAST and self.broadcast_eoi:
            self.broadcast_eoi(vector)
        self.update()

    def _local_interrupt(self, number: int) -> None:
        entry = self.state.lvt[number]
        if entry & _MASKED:
            return
        mode = entry >> 8 & 7
        if mode == DeliveryMode.FIXED:
            lint = number in (LVT_LINT0, LVT_LINT1)
            self.request(entry & 0xFF, level=lint and bool(entry & _LEVEL))
        elif mode == DeliveryMode.SMI:
            self.smi.pulse()
        elif mode == DeliveryMode.NMI:
            self.nmi.pulse()

    # -- registers -------------------------------------------------------------------------------

    def read(self, register: int) -> int:
        """Return the 32-bit register with that number (its offset in the page, divided by 16)."""
        if register == _CURRENT_COUNT:
            return self.timer.current_count()
        if register in _ARRAYS:
            array = (self.isr, self.tmr, self.irr)[(register - _ISR) >> 3]
            return array >> 32 * (register & 7) & 0xFFFFFFFF
        if _LVT <= register < _LVT + _LVT_COUNT:
            return self.state.lvt[register - _LVT]
        reader = _READERS.get(register)
        if reader is None:
            self.state.esr |= _ESR_ILLEGAL_ADDRESS
            return 0
        return reader(self)

    def write(self, register: int, value: int) -> None:
        """Write 32 bits to the register with that number."""
        if register == _EOI:
            self._end_of_interrupt()
        elif register == _TPR:
            self.state.tpr = value & 0xFF
            self.update()
        elif _LVT <= register < _LVT + _LVT_COUNT:
            self._write_lvt(register - _LVT, value)
        elif register == _ICR:
            self.state.icr = value
            if self.send_ipi is not None:
                self.send_ipi(self)
        elif register in (_INITIAL_COUNT, _DIVIDE):
            self._write_timer(register, value)
        else:
            self._write_setup(register, value)

    def _write_setup(self, register: int, value: int) -> None:
        if register == _ICR_HIGH:
            self.state.icr_high = value
        elif register == _SVR:
            self.state.svr = value & 0x1FF
            self.update()
        elif register == _ID:
            self.state.id = value >> 24
        elif register == _LDR:
            self.state.logical_id = value >> 24
        elif register == _DFR:
            self.state.destination_format = value >> 28
        elif register not in _READ_ONLY:
            self.state.esr |= _ESR_ILLEGAL_ADDRESS

    def _write_lvt(self, number: int, value: int) -> None:
        self.state.lvt[number] = value
        if number == LVT_TIMER:
            self.timer.set_mode(value)
        elif number == LVT_LINT0:
            if self.state.pic_level and self.state.base & _BASE_ENABLE:
                self._local_interrupt(LVT_LINT0)
            self.update()

    def _write_timer(self, register: int, value: int) -> None:
        if register == _INITIAL_COUNT:
            self.timer.start(value)
        else:
            self.timer.set_divide(value)


def _bytes(bits: int) -> bytes:
    return bits.to_bytes(len(_NONE), "little")


def _integer(bits: bytes) -> int:
    return int.from_bytes(bits, "little")


_READERS: dict[int, Callable[[LocalApic], int]] = {
    _ID: lambda apic: apic.state.id << 24,
    _VERSION: lambda _apic: VERSION | (_LVT_COUNT - 1) << 16,
    _TPR: lambda apic: apic.state.tpr,
    _APR: lambda _apic: 0,
    _PPR: lambda apic: apic.ppr,
    _EOI: lambda _apic: 0,
    _LDR: lambda apic: apic.state.logical_id << 24,
    _DFR: lambda apic: apic.state.destination_format << 28 | 0x0FFFFFFF,
    _SVR: lambda apic: apic.state.svr,
    _ESR: lambda apic: apic.state.esr,
    _ICR: lambda apic: apic.state.icr,
    _ICR_HIGH: lambda apic: apic.state.icr_high,
    _INITIAL_COUNT: lambda apic: apic.timer.initial_count,
    _DIVIDE: lambda apic: apic.timer.divide,
}
