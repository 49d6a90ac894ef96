"""How interrupts get from devices to the CPU: global lines, the two controllers, the CPU's pin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from functools import partial

from guestmap.base import IrqLine
from guestmap.base.dataclass import dataclass
from guestmap.hw.apic.bus import ApicBus
from guestmap.hw.apic.ioapic import IoApic
from guestmap.hw.device import RegisterBlock, levels, restore_levels
from guestmap.hw.i8259 import I8259Pair

ISA_LINES = 16
GLOBAL_LINES = 24


def global_lines(pic: I8259Pair | None, *ioapics: IoApic) -> tuple[IrqLine, ...]:
    """Return the lines that devices drive: each reaches an I/O APIC, the first 16 the PIC too.

    Args:
        pic: None for a board without.
        ioapics: each has 24 lines, the first the lowest.
    """
    lines = []
    for number in range(GLOBAL_LINES * len(ioapics)):
        inputs = [ioapics[number // GLOBAL_LINES].inputs[number % GLOBAL_LINES]]
        if pic is not None and number < ISA_LINES:
            inputs.insert(0, pic.irq[number])
        lines.append(IrqLine(partial(_drive, inputs), name=f"gsi{number}"))
    return tuple(lines)


def _drive(lines: Sequence[IrqLine], level: bool) -> None:
    for line in lines:
        line.set(level)


@dataclass(slots=True)
class LinesState:
    """The levels of the global lines."""

    levels: list[bool] = field(default_factory=list)


class GlobalLines(RegisterBlock[LinesState]):
    """The lines that devices drive, as something that is saved: nobody else knows their levels."""

    def __init__(self, lines: Sequence[IrqLine]) -> None:
        super().__init__(LinesState())
        self._lines = lines

    def save(self) -> LinesState:
        """Return the levels."""
        return LinesState(levels(self._lines))

    def load(self, state: LinesState) -> None:
        """Go on from levels that were saved."""
        restore_levels(self._lines, state.levels)


class CpuInterrupts:
    """The INTR pin of a CPU and its acknowledge cycle, as an engine sees them.

    Args:
        pic: gives the vector where the pin is its; None for a board without.
        apics: one of them has the pin.
        cpu: which.

    Attributes:
        on_change: called when the pin changes.
        pic_alone: whether the local APIC is the accelerator's: the pin is the PIC's wire to that.
    """

    def __init__(self, pic: I8259Pair | None, apics: ApicBus, cpu: int = 0) -> None:
        self.pic_alone = False
        self._pic = pic if not cpu else None
        self._acknowledge_pic = pic.acknowledge if pic is not None else _nobody
        self._apic = apics.apics[cpu]
        self.on_change: Callable[[], None] = lambda: None
        self._apic.intr.connect(self._changed)

    @property
    def pending(self) -> bool:
        """Whether the pin is high."""
        if self.pic_alone:
            return self._pic is not None and self._pic.intr.level
        return self._apic.intr.level

    def acknowledge(self) -> int:
        """Return the vector of the interrupt that the CPU takes; the spurious one if it is gone."""
        if self.pic_alone:
            return self._acknowledge_pic()
        vector = self._apic.acknowledge(self._acknowledge_pic)
        return vector if vector is not None else self._apic.svr & 0xFF

    def _changed(self, _level: bool) -> None:
        self.on_change()


def _nobody() -> int:
    """Return the vector that a pulled-up data bus reads as."""
    return 0xFF
