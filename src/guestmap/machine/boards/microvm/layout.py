"""Where things are on a microvm (QEMU 7.2, include/hw/i386/microvm.h)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guestmap.base import GIB

if TYPE_CHECKING:
    from guestmap.machine.config import MachineConfig

IOAPIC_BASES: Final = (0xFEC0_0000, 0xFEC1_0000)
GED_BASE: Final = 0xFEA0_0000
VIRTIO_BASE: Final = 0xFEB0_0000

GED_LINE: Final = 9
SERIAL_LINE: Final = 4
RTC_LINE: Final = 8

_LOW = 3 * GIB
"""RAM of more than this is split."""


def split(config: MachineConfig) -> tuple[int, int]:
    """Return the bytes of RAM below 4 GiB, and above."""
    below = min(config.ram_size, _LOW)
    return below, config.ram_size - below


def transports(*, acpi: bool, second_ioapic: bool) -> tuple[int, int]:
    """Return how many virtio transports there are, and the global line of the first.

    They have a second I/O APIC for themselves, or the upper lines of the first, or, where only the
    kernel's command line tells of them, lines that no legacy device has.
    """
    if second_ioapic:
        return 24, 24
    return 8, 16 if acpi else 5
