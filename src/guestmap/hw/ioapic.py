"""The I/O APIC: 24 interrupt inputs, each with an entry that says where its interrupts go.

Registers after the Intel 82093AA data sheet (290566), with the EOI register of version 20h, as
QEMU 7.2's ``ioapic`` has them: an index window at 00h, a data window at 10h that answers 32-bit
accesses only, EOI at 40h; the 256 bytes repeat through the page.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from guestmap.base import IrqLine
from guestmap.hw.interrupt import DeliveryMode, InterruptMessage
from guestmap.memory import MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.memory import MemorySystem

PINS = 24
VERSION = 0x20

_INDEX, _WINDOW, _EOI = 0x00, 0x10, 0x40  # byte offsets in the page
_ID, _VER, _ARB, _REDIRECTION = 0x00, 0x01, 0x02, 0x10  # register numbers

_MASKED = 1 << 16
_LEVEL = 1 << 15
_REMOTE_IRR = 1 << 14
_DELIVERY_STATUS = 1 << 12
_LOGICAL = 1 << 11
_READ_ONLY = _REMOTE_IRR | _DELIVERY_STATUS


class IoApic:
    """The device.

    Args:
        memory: where the region is made.
        deliver: receives each interrupt on its way to the local APICs.
        pic_acknowledge: gives the vector of an entry in ExtINT mode, which is the PIC's.

    Attributes:
        region: ``ioapic``, 4 KiB for FEC00000h.
        inputs: the 24 lines in; line 0 (the ISA timer) arrives at pin 2, as PCs wire it.
    """

    def __init__(
        self,
        memory: MemorySystem,
        deliver: Callable[[InterruptMessage], None],
        pic_acknowledge: Callable[[], int] | None = None,
    ) -> None:
        self._deliver = deliver
        self.pic_acknowledge = pic_acknowledge
        self.region = memory.io(
            "ioapic", 0x1000, MemoryRegionOps(read=self._read, write=self._write)
        )
        self.inputs = tuple(
            IrqLine(partial(self.set_irq, line), name=f"ioapic {line}") for line in range(PINS)
        )
        self.reset()

    def reset(self) -> None:
        """Mask every entry; input levels that stay high are noticed when they next change."""
        self.id = 0
        self.irr = 0
        self.redirection = [_MASKED] * PINS
        self._index = 0

    # Interrupts

    def set_irq(self, line: int, level: bool) -> None:
        """Drive input ``line``; an edge that meets a masked entry is lost (data sheet, IRR)."""
        pin = 2 if line == 0 else line
        if not 0 <= pin < PINS:
            return
        bit = 1 << pin
        entry = self.redirection[pin]
        if entry & _LEVEL:
            if not level:
                self.irr &= ~bit
                return
            self.irr |= bit
            if not entry & _REMOTE_IRR:
                self._service()
        elif level and not entry & _MASKED:
            self.irr |= bit
            self._service()

    def end_of_interrupt(self, vector: int) -> None:
        """A local APIC has finished with level-triggered ``vector``: let its pins ask again."""
        for pin, entry in enumerate(self.redirection):
            if entry & _LEVEL and entry & _REMOTE_IRR and entry & 0xFF == vector:
                self.redirection[pin] = entry & ~_REMOTE_IRR
        self._service()

    def _service(self) -> None:
        """Send what is requested and not masked; level entries wait for their EOI."""
        for pin in range(PINS):
            bit = 1 << pin
            entry = self.redirection[pin]
            if not self.irr & bit or entry & _MASKED:
                continue
            if entry & _LEVEL:
                if entry & _REMOTE_IRR:
                    continue
                self.redirection[pin] |= _REMOTE_IRR
            else:
                self.irr &= ~bit
            self._deliver(self._message(entry))

    def _message(self, entry: int) -> InterruptMessage:
        mode = DeliveryMode(entry >> 8 & 7)
        vector = entry & 0xFF
        if mode == DeliveryMode.EXT_INT and self.pic_acknowledge is not None:
            vector = self.pic_acknowledge()
        return InterruptMessage(
            destination=entry >> 56,
            logical=bool(entry & _LOGICAL),
            mode=mode,
            vector=vector,
            level=bool(entry & _LEVEL),
        )

    # Registers

    def _read(self, offset: int, size: int) -> int:
        offset &= 0xFF
        if offset == _INDEX:
            return self._index
        if offset != _WINDOW or size != 4:
            return 0
        if self._index in (_ID, _ARB):
            return self.id << 24
        if self._index == _VER:
            return VERSION | (PINS - 1) << 16
        pin = (self._index - _REDIRECTION) >> 1
        if 0 <= pin < PINS:
            return self.redirection[pin] >> (32 * (self._index & 1)) & 0xFFFFFFFF
        return 0

    def _write(self, offset: int, value: int, size: int) -> None:
        offset &= 0xFF
        if offset == _INDEX:
            self._index = value & 0xFF
        elif size != 4:
            return
        elif offset == _WINDOW:
            self._write_register(value)
        elif offset == _EOI:
            self.end_of_interrupt(value)

    def _write_register(self, value: int) -> None:
        if self._index == _ID:
            self.id = value >> 24 & 0xF
            return
        pin = (self._index - _REDIRECTION) >> 1
        if not 0 <= pin < PINS:
            return
        entry = self.redirection[pin]
        if self._index & 1:
            new = entry & 0xFFFFFFFF | value << 32
        else:
            new = entry & ~0xFFFFFFFF | value & 0xFFFFFFFF
        new = new & ~_READ_ONLY | entry & _READ_ONLY
        if not new & _LEVEL:
            new &= ~_REMOTE_IRR
        self.redirection[pin] = new
        self._service()
