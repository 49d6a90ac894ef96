"""The interrupt controller: one chip, and the two of a PC."""

from guestmap.hw.i8259.device import I8259
from guestmap.hw.i8259.pair import I8259Pair

__all__ = ["I8259", "I8259Pair"]
