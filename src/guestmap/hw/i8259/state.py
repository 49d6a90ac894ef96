"""One interrupt controller's requests, masks and priorities (Intel 8259A data sheet)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from guestmap.base.bounds import Meta, bounded
from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U8

LINES = 8
CASCADE_IRQ = 2
"""The line of the first chip that carries the second chip's output."""
NOTHING = -1
"""No line."""

if TYPE_CHECKING:
    LineNumber = int
else:
    LineNumber = bounded(int, ge=0, le=7)


@dataclass(slots=True)
class PicState:
    """The registers of one chip, where it is in its initialization, and the levels of its lines."""

    irr: U8 = 0
    isr: U8 = 0
    imr: U8 = 0
    elcr: U8 = 0
    irq_base: U8 = 0
    last: U8 = 0
    """The levels that lines had when they were looked at last."""
    rotation: LineNumber = 0
    read_isr: bool = False
    poll: bool = False
    special_mask: bool = False
    auto_eoi: bool = False
    rotate_on_auto_eoi: bool = False
    fully_nested: bool = False
    icw: Annotated[int, Meta(ge=0, le=4)] = 0
    """The initialization word that is due (2-4), or 0."""
    needs_icw4: bool = False
    single: bool = False
    output: bool = False
    levels: Annotated[list[bool], Meta(max_length=LINES)] | None = None

    def set_line(self, line: int, level: bool) -> None:
        """Take the level of input ``line`` (0-7)."""
        bit = 1 << line
        if self.elcr & bit:
            self.irr = self.irr | bit if level else self.irr & ~bit
        elif level and not self.last & bit:
            self.irr |= bit
        self.last = self.last | bit if level else self.last & ~bit

    def highest(self, *, master: bool) -> int:
        """Return the line to serve next, or -1 where none asks loudly enough."""
        asking = self.irr & ~self.imr
        if not asking:
            return NOTHING
        place = first(asking, self.rotation)
        serving = self.isr
        if self.special_mask:
            serving &= ~self.imr
        if self.fully_nested and master:
            serving &= ~(1 << CASCADE_IRQ)
        if place < first(serving, self.rotation):
            return (place + self.rotation) & 7
        return NOTHING

    def take(self, line: int) -> None:
        """Put ``line`` in service."""
        bit = 1 << line
        if not self.auto_eoi:
            self.isr |= bit
        elif self.rotate_on_auto_eoi:
            self.rotation = (line + 1) & 7
        if not self.elcr & bit:
            self.irr &= ~bit

    def started_over(self) -> PicState:
        """Return the state after ICW1: all but requests of level-triggered lines is forgotten."""
        return PicState(irr=self.irr & self.elcr, elcr=self.elcr)

    def command(self, value: int) -> bool:
        """Take OCW2: end of interrupt and priority rotation; bits 7-5 are R, SL and EOI.

        Return whether the chip looks at its lines anew.
        """
        rotate, line = bool(value & 0x80), value & 7
        match value >> 5 & 3:
            case 0:
                self.rotate_on_auto_eoi = rotate
                return False
            case 1:
                place = first(self.isr, self.rotation)
                if place == LINES:
                    return False
                line = (place + self.rotation) & 7
                self.isr &= ~(1 << line)
            case 2:
                if not rotate:
                    return False
            case _:
                self.isr &= ~(1 << line)
        if rotate:
            self.rotation = (line + 1) & 7
        return True


def first(bits: int, rotation: int) -> int:
    """Return how many places after ``rotation`` the first set bit is; 8 where none is set."""
    if not bits:
        return 8
    rotated = (bits >> rotation) | (bits << (8 - rotation))
    return ((rotated & -rotated).bit_length() - 1) & 7
