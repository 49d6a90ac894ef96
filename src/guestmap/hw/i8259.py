"""The pair of Intel 8259A interrupt controllers of a PC, and the edge/level registers beside them.

Fifteen lines come in, one line (INTR) goes to the processor, which answers with an acknowledge
cycle and gets a vector. Register meanings are those of the Intel 8259A data sheet (initialization
and operation command words); the edge/level control registers at 4D0h and 4D1h are those of the
Intel 82371AB (PIIX4) data sheet. Where silicon and QEMU 7.2 differ, this is QEMU: ICW1's
level-triggered bit is ignored (4D0h/4D1h decide), and a request on an edge-triggered line is kept
when the line drops before the acknowledge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import IrqLine
from guestmap.memory import AccessSizes, MemoryRegion, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.memory import MemorySystem

CASCADE_IRQ = 2
"""The line of the first chip that carries the second chip's output."""

MASTER_PORT, SLAVE_PORT = 0x20, 0xA0
MASTER_ELCR_PORT, SLAVE_ELCR_PORT = 0x4D0, 0x4D1

_NOTHING = -1
_ELCR_MASKS = (0xF8, 0xDE)  # lines 0, 1, 2, 8 and 13 are always edge-triggered
_BYTES = AccessSizes(min=1, max=1)


def _first(bits: int, rotation: int) -> int:
    """Return how many places after ``rotation`` the first set bit is; 8 where none is set."""
    if not bits:
        return 8
    rotated = (bits >> rotation) | (bits << (8 - rotation))
    return ((rotated & -rotated).bit_length() - 1) & 7


class I8259:
    """One 8259A chip.

    Attributes:
        region: ports 20h-21h or A0h-A1h (``pic``, 2 bytes).
        elcr_region: the edge/level control register (``elcr``, 1 byte): a set bit makes a line
            level-triggered.
        irr, isr, imr: request, in-service and mask register.
        elcr: edge/level control register.
        irq_base: vector of line 0 (ICW2).
        output: whether INT is high.
    """

    def __init__(
        self, memory: MemorySystem, on_output: Callable[[bool], None], *, master: bool
    ) -> None:
        self._on_output = on_output
        self._master = master
        self._elcr_mask = _ELCR_MASKS[0 if master else 1]
        self.elcr = 0
        self.irr = 0
        self.output = False
        self._start_over()
        ops = MemoryRegionOps(read=self._read, write=self._write, impl=_BYTES)
        self.region: MemoryRegion = memory.io("pic", 2, ops)
        elcr_ops = MemoryRegionOps(read=self._read_elcr, write=self._write_elcr, impl=_BYTES)
        self.elcr_region: MemoryRegion = memory.io("elcr", 1, elcr_ops)

    def reset(self) -> None:
        """Go back to the state at power-on: all lines edge-triggered, nothing masked or asked."""
        self.elcr = 0
        self.irr = 0
        self._start_over()
        self._update()

    def set_line(self, line: int, level: bool) -> None:
        """Tell the chip the level of input ``line`` (0-7)."""
        bit = 1 << line
        if self.elcr & bit:
            if level:
                self.irr |= bit
                self._last |= bit
            else:
                self.irr &= ~bit
                self._last &= ~bit
        elif level:
            if not self._last & bit:
                self.irr |= bit
            self._last |= bit
        else:
            self._last &= ~bit
        self._update()

    def highest(self) -> int:
        """Return the line to serve next, or -1 where none asks loudly enough."""
        asking = self.irr & ~self.imr
        if not asking:
            return _NOTHING
        rotation = self._rotation
        place = _first(asking, rotation)
        serving = self.isr
        if self._special_mask:
            serving &= ~self.imr
        if self._fully_nested and self._master:
            serving &= ~(1 << CASCADE_IRQ)
        if place < _first(serving, rotation):
            return (place + rotation) & 7
        return _NOTHING

    def take(self, line: int) -> None:
        """Put ``line`` in service: what an acknowledge cycle or a poll does."""
        bit = 1 << line
        if not self._auto_eoi:
            self.isr |= bit
        elif self._rotate_on_auto_eoi:
            self._rotation = (line + 1) & 7
        if not self.elcr & bit:
            self.irr &= ~bit
        self._update()

    def _update(self) -> None:
        # Told even when nothing changed: the receiver may have forgotten (ICW1 clears its latch).
        self.output = self.highest() >= 0
        self._on_output(self.output)

    def _start_over(self) -> None:
        """ICW1: forget all but requests of level-triggered lines."""
        self._last = 0
        self.irr &= self.elcr
        self.imr = self.isr = self.irq_base = 0
        self._rotation = 0
        self._read_isr = False
        self._poll = False
        self._special_mask = False
        self._auto_eoi: bool = False
        self._rotate_on_auto_eoi: bool = False
        self._fully_nested = False
        self._icw = 0  # the initialization word that is due (2-4), or 0
        self._needs_icw4 = self._single = False

    def _read(self, offset: int, size: int) -> int:
        if self._poll:
            self._poll = False
            line = self.highest()
            if line < 0:
                return 0
            self.take(line)
            return line | 0x80
        if offset:
            return self.imr
        return self.isr if self._read_isr else self.irr

    def _write(self, offset: int, value: int, size: int) -> None:
        value &= 0xFF
        if offset:
            self._write_data(value)
        elif value & 0x10:
            self._start_over()
            self._update()
            self._icw = 2
            self._needs_icw4 = bool(value & 0x01)
            self._single = bool(value & 0x02)
        elif value & 0x08:
            self._write_ocw3(value)
        else:
            self._write_ocw2(value)

    def _write_data(self, value: int) -> None:
        match self._icw:
            case 0:
                self.imr = value
                self._update()
            case 2:
                self.irq_base = value & 0xF8
                self._icw = (4 if self._needs_icw4 else 0) if self._single else 3
            case 3:
                self._icw = 4 if self._needs_icw4 else 0
            case _:
                self._fully_nested = bool(value & 0x10)
                self._auto_eoi = bool(value & 0x02)
                self._icw = 0

    def _write_ocw3(self, value: int) -> None:
        if value & 0x04:
            self._poll = True
        if value & 0x02:
            self._read_isr = bool(value & 0x01)
        if value & 0x40:
            self._special_mask = bool(value & 0x20)

    def _write_ocw2(self, value: int) -> None:
        """End of interrupt and priority rotation; bits 7-5 are R, SL and EOI."""
        rotate, line = bool(value & 0x80), value & 7
        match value >> 5 & 3:
            case 0:
                self._rotate_on_auto_eoi = rotate
                return
            case 1:
                place = _first(self.isr, self._rotation)
                if place == 8:
                    return
                line = (place + self._rotation) & 7
                self.isr &= ~(1 << line)
            case 2:
                if not rotate:
                    return
            case _:
                self.isr &= ~(1 << line)
        if rotate:
            self._rotation = (line + 1) & 7
        self._update()

    def _read_elcr(self, offset: int, size: int) -> int:
        return self.elcr

    def _write_elcr(self, offset: int, value: int, size: int) -> None:
        self.elcr = value & self._elcr_mask


class I8259Pair:
    """Two 8259A as a PC wires them: the second chip's output is line 2 of the first.

    Attributes:
        irq: the lines 0-15 (line 2 is the cascade and belongs to the second chip).
        intr: the INTR wire to the processor.
        master, slave: the two chips.
        regions: (port, region) of each part.
    """

    def __init__(self, memory: MemorySystem, intr: IrqLine | None = None) -> None:
        self.intr = intr if intr is not None else IrqLine(name="INTR")
        self.master = I8259(memory, self.intr.set, master=True)
        self.slave = I8259(memory, self._cascade, master=False)
        self.irq: tuple[IrqLine, ...] = tuple(
            IrqLine(self._input(number), name=f"irq{number}") for number in range(16)
        )
        self.regions: tuple[tuple[int, MemoryRegion], ...] = (
            (MASTER_PORT, self.master.region),
            (SLAVE_PORT, self.slave.region),
            (MASTER_ELCR_PORT, self.master.elcr_region),
            (SLAVE_ELCR_PORT, self.slave.elcr_region),
        )

    @property
    def pending(self) -> bool:
        """Whether an interrupt waits for the processor (the level of INTR)."""
        return self.master.output

    def reset(self) -> None:
        """Reset both chips."""
        self.master.reset()
        self.slave.reset()

    def acknowledge(self) -> int:
        """Run the processor's acknowledge cycle and return the vector, 0-255.

        Where the request has gone in the meantime it is the chip's line 7, with nothing put in
        service: the spurious interrupt of the 8259A data sheet.
        """
        master, slave = self.master, self.slave
        line = master.highest()
        if line < 0:
            return master.irq_base + 7
        if line != CASCADE_IRQ:
            master.take(line)
            return master.irq_base + line
        line = slave.highest()
        if line >= 0:
            slave.take(line)
        master.take(CASCADE_IRQ)
        return slave.irq_base + (line if line >= 0 else 7)

    def _cascade(self, level: bool) -> None:
        self.master.set_line(CASCADE_IRQ, level)

    def _input(self, number: int) -> Callable[[bool], None]:
        chip, line = (self.slave if number >= 8 else self.master), number & 7

        def receive(level: bool) -> None:
            chip.set_line(line, level)

        return receive
