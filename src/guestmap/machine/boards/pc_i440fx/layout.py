"""Where the RAM of a PC is: below 4 GiB, the rest above, and behind it what may be plugged in.

After QEMU 7.2, hw/i386/pc_piix.c and pc.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import GIB, ConfigError
from guestmap.base.named_tuple import NamedTuple
from guestmap.firmware.acpi.config import PCI_HOLE64_BYTES

if TYPE_CHECKING:
    from guestmap.machine.config import MachineConfig

_FOUR_GIB = 4 * GIB
_GIGABYTE_ALIGNED_LOW = 0xC000_0000
_HYPERTRANSPORT = 0xFD_0000_0000
"""AMD CPUs route 1012 GiB to 1 TiB to HyperTransport: no RAM may be there."""
_ABOVE_HYPERTRANSPORT = 0x100_0000_0000
_PHYSICAL_BITS = 40
"""Width of a physical address of the CPU model qemu64."""


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

        Raises:
            ConfigError: it would reach what AMD CPUs route to HyperTransport. QEMU moves RAM behind
                that, and then finds that the CPU model has too few address bits; its text.
        """
        low = config.max_ram_below_4g
        if config.ram_size >= low:
            low = min(low, _GIGABYTE_ALIGNED_LOW)
        below = min(config.ram_size, low)
        above = config.ram_size - below
        if _end(config, _FOUR_GIB + above) > _HYPERTRANSPORT:
            end = _end(config, _ABOVE_HYPERTRANSPORT + above)  # where QEMU would have it
            raise ConfigError(
                f"Address space limit 0x{(1 << _PHYSICAL_BITS) - 1:x} < 0x{end - 1:x}"
                f" phys-bits too low ({_PHYSICAL_BITS})"
            )
        return cls(below, above)

    @property
    def end(self) -> int:
        """The address after the last above 4 GiB; that of 4 GiB where there is no RAM above."""
        return self.above_start + self.above


class DeviceMemoryLayout(NamedTuple):
    """The addresses that memory devices are plugged into.

    Attributes:
        start: the first address, at a multiple of 1 GiB.
        size: bytes: what may come, and 1 GiB for each slot so that each DIMM can be aligned.
        slots: DIMMs there may be; 0 leaves the range to other devices.
    """

    start: int
    size: int
    slots: int

    @classmethod
    def of(cls, config: MachineConfig) -> DeviceMemoryLayout | None:
        """Return where a machine's are; None where nothing can be plugged in."""
        return cls._behind(config, RamLayout.of(config).end)

    @classmethod
    def _behind(cls, config: MachineConfig, end_of_ram: int) -> DeviceMemoryLayout | None:
        if config.max_ram <= config.ram_size:
            return None
        size = config.max_ram - config.ram_size + config.slots * GIB
        return cls(_round_up(end_of_ram), size, config.slots)

    @property
    def end(self) -> int:
        """The address after the last."""
        return self.start + self.size


def _round_up(address: int) -> int:
    return -(-address // GIB) * GIB


def _end(config: MachineConfig, end_of_ram: int) -> int:
    """Return the address after all that a machine uses: behind its PCI devices' upper window."""
    plug = DeviceMemoryLayout._behind(config, end_of_ram)
    return _round_up(plug.end if plug is not None else end_of_ram) + PCI_HOLE64_BYTES


OPTION_ROM_BASE = 0xC0000
OPTION_ROM_SIZE = 0x20000
