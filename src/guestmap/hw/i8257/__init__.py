"""The DMA controllers of a PC/AT."""

from guestmap.hw.i8257.device import I8257

__all__ = ["I8257"]
