"""The interval timer: the chip, and one counter of its three."""

from guestmap.hw.i8254.counter import FREQUENCY_HZ
from guestmap.hw.i8254.device import I8254

__all__ = ["FREQUENCY_HZ", "I8254"]
