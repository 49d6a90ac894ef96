"""The registers that only a bridge's header has (PCI-to-PCI Bridge Architecture 1.2, 3.2.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.pci import registers as reg

if TYPE_CHECKING:
    from guestmap.hw.pci.config import ConfigSpace

_BRIDGE_STATUS = reg.STATUS_66MHZ | reg.STATUS_FAST_BACK


def fill_bridge_header(config: ConfigSpace) -> None:
    """Give the registers that only a bridge has their masks, and their values after a reset."""
    config.set(reg.STATUS, _BRIDGE_STATUS, 2)
    config.set(reg.SECONDARY_STATUS, _BRIDGE_STATUS, 2)
    config.allow_clear(reg.SECONDARY_STATUS, reg.STATUS_CLEARABLE, 2)
    config.allow_write(reg.PRIMARY_BUS, 0xFFFF_FFFF, 4)
    config.allow_write(reg.IO_BASE, 0xF0F0, 2)
    config.allow_write(reg.MEMORY_BASE, 0xFFF0_FFF0, 4)
    config.allow_write(reg.PREFETCH_BASE, 0xFFF0_FFF0, 4)
    config.allow_write(reg.PREFETCH_BASE_UPPER, 0xFFFF_FFFF_FFFF_FFFF, 8)
    config.allow_write(reg.BRIDGE_CONTROL, reg.CONTROL_WRITABLE, 2)
    config.allow_clear(reg.BRIDGE_CONTROL, reg.CONTROL_DISCARD_STATUS, 2)
    reset_bridge_header(config)


def reset_bridge_header(config: ConfigSpace) -> None:
    """Reset the bus numbers, the windows and the control register."""
    config.set(reg.PRIMARY_BUS, 0, 4)
    config.set(reg.IO_BASE, 0, 2)
    config.set(reg.MEMORY_BASE, 0, 4)
    config.set(reg.PREFETCH_BASE, reg.PREFETCH_64BIT | reg.PREFETCH_64BIT << 16, 4)
    config.set(reg.PREFETCH_BASE_UPPER, 0, 8)
    config.set(reg.BRIDGE_CONTROL, 0, 2)


def touches_windows(offset: int, end: int) -> bool:
    """Whether a write may move a window: command, bases and limits (to 33h), control."""
    return any(
        offset < first + length and end > first
        for first, length in (
            (reg.COMMAND, 2),
            (reg.IO_BASE, 2),
            (reg.MEMORY_BASE, 20),
            (reg.BRIDGE_CONTROL, 2),
        )
    )
