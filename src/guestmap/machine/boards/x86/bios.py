"""Where an x86 board's firmware is: at the end of the first 4 GiB, and of the first MiB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guestmap.base import GIB, KIB, MIB

if TYPE_CHECKING:
    from guestmap.memory import MemoryRegion, MemorySystem

_END: Final = 4 * GIB
_ISA_END: Final = MIB
_ISA_MAX = 128 * KIB
"""As much of it is seen below 1 MiB."""


def map_bios(
    system: MemorySystem, under: MemoryRegion, image: bytes, *, writable: bool = False
) -> MemoryRegion:
    """Map a firmware image, and return its region (QEMU 7.2, hw/i386/x86.c).

    Args:
        system: the memory system.
        under: the region that it goes into.
        image: a multiple of 64 KiB.
        writable: make it RAM, not ROM.
    """
    size = len(image)
    bios = system.ram("pc.bios", size) if writable else system.rom("pc.bios", size)
    fill(bios, image)
    shown = min(size, _ISA_MAX)
    alias = system.alias("isa-bios", bios, size - shown, shown)
    under.add_subregion(_ISA_END - shown, alias, 1)
    under.add_subregion(_END - size, bios)
    return bios


def fill(bios: MemoryRegion, image: bytes) -> None:
    """Put the image where it belongs, as a reset does."""
    assert bios.buffer is not None
    bios.buffer[: len(image)] = image
