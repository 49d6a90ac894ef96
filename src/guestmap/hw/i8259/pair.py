"""Two interrupt controllers as a PC has them: fifteen lines in, one to the processor."""

from __future__ import annotations

from guestmap.base import IrqLine
from guestmap.hw.i8259.device import I8259
from guestmap.hw.i8259.state import CASCADE_IRQ


class I8259Pair:
    """Two 8259A as a PC wires them: the second chip's output is line 2 of the first.

    Attributes:
        irq: the lines 0-15 (line 2 is the cascade and belongs to the second chip).
        intr: the INTR wire to the processor.
        master, slave: the two chips.
    """

    def __init__(self, intr: IrqLine | None = None) -> None:
        self.intr = intr if intr is not None else IrqLine(name="INTR")
        self.master = I8259(self.intr.set, self.intr, master=True)
        self.slave = I8259(self._cascade, self.master.inputs[CASCADE_IRQ], master=False)
        self.irq: tuple[IrqLine, ...] = (*self.master.inputs, *self.slave.inputs)

    @property
    def chips(self) -> tuple[I8259, I8259]:
        """Both of them."""
        return self.master, self.slave

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
