"""What firmware is told about its machine, in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import GIB, ConfigError
from guestmap.base.dataclass import dataclass

if TYPE_CHECKING:
    from uuid import UUID

BOOT_DEVICES = {"a": 1, "b": 1, "c": 2, "d": 3, "n": 4}
"""Letters of a boot order and the numbers CMOS holds for them: floppy, disk, CD-ROM, network."""

_LARGEST_APIC_ID = 0xFF  # the broadcast address: no CPU can have it


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareConfig:
    """The facts behind fw_cfg, CMOS, e820 and SMBIOS.

    Attributes:
        below_4g: bytes of RAM from address 0.
        above_4g: bytes of RAM from ``above_4g_start``.
        above_4g_start: 4 GiB, or 1 TiB where RAM has to stay clear of AMD's HyperTransport range.
        reserve_hypertransport: list that range (FD00000000h, 12 GiB) in e820; QEMU does for a CPU
            of AMD's vendor string with 40 or more physical address bits, as qemu64 under TCG is.
        cpus: CPUs present at power-on.
        max_cpus: CPUs there may ever be; 0 means ``cpus``.
        sockets: how many sockets ``max_cpus`` are spread over.
        threads: threads of one core; what remains are cores in a socket.
        uuid: the machine's; None leaves it all zeros.
        boot_order: up to three of the letters a, c, d, n, as in QEMU's ``-boot order=``.
        boot_menu: offer the firmware's boot menu.
        boot_menu_wait_ms: how long to show it; None for the firmware's own choice.
        boot_fail_wait_ms: reboot after that long without a bootable device; None for never.
        nographic: console on a serial line.
        machine: the machine type's name.
        machine_description: what SMBIOS calls the product.

    Raises:
        ConfigError: numbers that no machine can have.
    """

    below_4g: int
    above_4g: int = 0
    above_4g_start: int = 4 * GIB
    reserve_hypertransport: bool = True
    cpus: int = 1
    max_cpus: int = 0
    sockets: int = 1
    threads: int = 1
    uuid: UUID | None = None
    boot_order: str = "cad"
    boot_menu: bool = False
    boot_menu_wait_ms: int | None = None
    boot_fail_wait_ms: int | None = None
    nographic: bool = False
    machine: str = "pc-i440fx-7.2"
    machine_description: str = "Standard PC (i440FX + PIIX, 1996)"

    def __post_init__(self) -> None:
        if self.below_4g <= 0 or self.above_4g < 0:
            raise ConfigError(
                f"a machine cannot have 0x{self.below_4g:x} bytes of RAM below 4 GiB"
                f" and 0x{self.above_4g:x} above"
            )
        if self.cpus < 1 or self.total_cpus < self.cpus:
            raise ConfigError(f"{self.cpus} CPUs of at most {self.max_cpus}: cannot be")
        spread = self.sockets * self.threads
        if self.sockets < 1 or self.threads < 1 or self.total_cpus % spread:
            raise ConfigError(
                f"{self.total_cpus} CPUs cannot be {self.sockets} sockets with cores of"
                f" {self.threads} threads"
            )
        if self.apic_ids[-1] >= _LARGEST_APIC_ID:
            raise ConfigError(
                f"{self.total_cpus} CPUs need local APIC IDs up to {self.apic_ids[-1]}:"
                f" more than xAPIC's {_LARGEST_APIC_ID - 1}"
            )
        unknown = [letter for letter in self.boot_order if letter not in BOOT_DEVICES]
        if unknown or len(self.boot_order) > 3:
            raise ConfigError(
                f"boot order {self.boot_order!r} is not up to three of a (floppy), c (disk),"
                " d (CD-ROM), n (network)"
            )

    @property
    def ram_size(self) -> int:
        """Bytes of RAM in all."""
        return self.below_4g + self.above_4g

    @property
    def ram_ranges(self) -> tuple[tuple[int, int], ...]:
        """Where RAM is: (address, bytes), ascending."""
        low = (0, self.below_4g)
        return (low, (self.above_4g_start, self.above_4g)) if self.above_4g else (low,)

    @property
    def total_cpus(self) -> int:
        """CPUs there may ever be."""
        return self.max_cpus or self.cpus

    @property
    def cores(self) -> int:
        """Cores in each socket."""
        return self.total_cpus // (self.sockets * self.threads)

    @property
    def apic_ids(self) -> tuple[int, ...]:
        """The local APIC ID of each possible CPU.

        Thread, core and socket number lie side by side, each field as wide as its largest value
        (Intel SDM volume 3, "Hierarchical Mapping of Shared Resources").
        """
        thread_bits = (self.threads - 1).bit_length()
        core_bits = (self.cores - 1).bit_length()
        return tuple(
            (socket << core_bits | core) << thread_bits | thread
            for socket in range(self.sockets)
            for core in range(self.cores)
            for thread in range(self.threads)
        )

    @property
    def apic_id_limit(self) -> int:
        """One more than the largest APIC ID."""
        return self.apic_ids[-1] + 1
