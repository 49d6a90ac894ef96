"""Which interrupt a local APIC gives its CPU, and when: pending, in service, by priority.

After Intel SDM volume 3, "Advanced Programmable Interrupt Controller", sections on accepting and
handling interrupts, as QEMU 7.2's ``apic`` does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import IrqLine
from guestmap.hw.apic import registers as reg
from guestmap.hw.apic.message import DeliveryMode
from guestmap.hw.apic.registers import LocalApicState
from guestmap.hw.device import DeviceModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from guestmap.qom import JsonValue


class LocalInterrupts(DeviceModel[LocalApicState]):
    """The interrupts of CPU ``cpu``; the registers by which they are set up are a subclass's.

    Args:
        cpu: the CPU's number.
        values: properties that are not as their type says.

    Attributes:
        isr, tmr, irr: 256 bits each: in service, level-triggered, pending.
        intr: high while the CPU has an interrupt to take; :meth:`acknowledge` says which.
        nmi, smi, init: pulsed when such a message arrives.
        broadcast_eoi: called with the vector of a level-triggered interrupt that has ended.
    """

    def __init__(self, cpu: int, values: Mapping[str, JsonValue]) -> None:
        super().__init__(LocalApicState(), values)
        self.cpu = cpu
        self.intr = IrqLine(name=f"cpu{cpu} intr")
        self.nmi = IrqLine(name=f"cpu{cpu} nmi")
        self.smi = IrqLine(name=f"cpu{cpu} smi")
        self.init = IrqLine(name=f"cpu{cpu} init")
        self.broadcast_eoi: Callable[[int], None] | None = None
        self.isr = self.tmr = self.irr = 0

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
        entry = self.state.lvt[reg.LVT_LINT0]
        virtual_wire = not entry & reg.MASKED and entry >> 8 & 7 == DeliveryMode.EXT_INT
        return virtual_wire or not self.state.base & reg.BASE_ENABLE

    def set_pic_intr(self, level: bool) -> None:
        """Drive LINT0, the wire from the PIC's INTR output."""
        self.state.pic_level = level
        if self.state.base & reg.BASE_ENABLE:
            entry = self.state.lvt[reg.LVT_LINT0]
            if level:
                self._local_interrupt(reg.LVT_LINT0)
            elif (
                not entry & reg.MASKED
                and entry & reg.LEVEL
                and entry >> 8 & 7 == DeliveryMode.FIXED
            ):
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
            return self.state.svr & 0xFF if self.irr and self.state.svr & reg.ENABLE else None
        vector = self.irr.bit_length() - 1
        self.irr &= ~(1 << vector)
        self.isr |= 1 << vector
        self.update()
        return vector

    def _deliverable(self) -> bool:
        if not self.irr or not self.state.svr & reg.ENABLE:
            return False
        return (self.irr.bit_length() - 1) & 0xF0 > self.ppr & 0xF0

    def _end_of_interrupt(self) -> None:
        if not self.isr:
            return
        vector = self.isr.bit_length() - 1
        self.isr &= ~(1 << vector)
        if (
            self.tmr >> vector & 1
            and not self.state.svr & reg.NO_EOI_BROADCAST
            and self.broadcast_eoi
        ):
            self.broadcast_eoi(vector)
        self.update()

    def _local_interrupt(self, number: int) -> None:
        entry = self.state.lvt[number]
        if entry & reg.MASKED:
            return
        mode = entry >> 8 & 7
        if mode == DeliveryMode.FIXED:
            lint = number in (reg.LVT_LINT0, reg.LVT_LINT1)
            self.request(entry & 0xFF, level=lint and bool(entry & reg.LEVEL))
        elif mode == DeliveryMode.SMI:
            self.smi.pulse()
        elif mode == DeliveryMode.NMI:
            self.nmi.pulse()
