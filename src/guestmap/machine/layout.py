"""Where the RAM of a PC is: below 4 GiB, and the rest above (QEMU hw/i386/pc_piix.c)."""

from __future__ import annotations

from typing import NamedTuple

from guestmap.base import GIB, MIB
from guestmap.machine.config import MachineConfig

_FOUR_GIB = 4 * GIB
_GIGABYTE_ALIGNED_LOW = 0xC000_0000
_HOLE64_SIZE = 2 * GIB
_HYPERTRANSPORT = 0xFD_0000_0000
"""AMD CPUs route 1012 GiB to 1 TiB to HyperTransport: no RAM may be there."""
_ABOVE_HYPERTRANSPORT = 0x100_0000_0000


class RamLayout(NamedTuple):
    """The two pieces of RAM, in bytes; ``above`` starts at ``above_start``."""

    below: int
    above: int
    above_start: int = _FOUR_GIB

    @classmethod
    def of(cls, config: MachineConfig) -> RamLayout:
        """Return the layout of a machine.

        RAM that would leave less than 512 MiB of the low 4 GiB to devices is split at 3 GiB
        instead of 3.5 GiB.
        """
        low = config.max_ram_below_4g
        if config.ram_size >= low:
            low = min(low, _GIGABYTE_ALIGNED_LOW)
        below = min(config.ram_size, low)
        above = config.ram_size - below
        hole64_start = -(-(_FOUR_GIB + above) // GIB) * GIB
        if hole64_start + _HOLE64_SIZE - 1 < _HYPERTRANSPORT:
            return cls(below, above)
        return cls(below, above, _ABOVE_HYPERTRANSPORT)


BIOS_END = _FOUR_GIB
ISA_BIOS_MAX = 128 * 1024
OPTION_ROM_BASE = 0xC0000
OPTION_ROM_SIZE = 0x20000
ISA_END = MIB
IOAPIC_BASE = 0xFEC0_0000
HPET_BASE = 0xFED0_0000
APIC_BASE = 0xFEE0_0000
APIC_PRIORITY = 4096
"""Higher than anything: messages to the APIC never reach memory."""
