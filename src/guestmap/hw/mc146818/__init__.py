"""The real-time clock with its memory, and how it writes a time down."""

from guestmap.hw.mc146818.device import Mc146818

__all__ = ["Mc146818"]
