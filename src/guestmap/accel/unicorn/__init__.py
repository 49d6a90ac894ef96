"""The engine that embeds Unicorn, QEMU's TCG as a library (a separate installation, GPLv2)."""

from guestmap.accel.unicorn.engine import UnicornEngine

__all__ = ["UnicornEngine"]
