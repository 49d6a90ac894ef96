"""The high-precision event timer: its registers, and one timer of its several."""

from guestmap.hw.hpet.device import Hpet

__all__ = ["Hpet"]
