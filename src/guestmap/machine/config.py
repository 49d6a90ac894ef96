"""What a machine is made from: plain values, checked once, here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guestmap.base import GIB, MIB, TIB, ConfigError, UnsupportedError, exact_size
from guestmap.base.dataclass import dataclass
from guestmap.machine.boards import BoardType, board_type
from guestmap.machine.options.device import DeviceSpec
from guestmap.machine.options.drive import DriveSpec
from guestmap.machine.options.memory import MemoryOption, check_hotplug
from guestmap.machine.options.numa import NumaNode, check_nodes
from guestmap.machine.options.object import ObjectSpec
from guestmap.machine.options.smp import MAX_CPUS, CpuTopology

if TYPE_CHECKING:
    from uuid import UUID

__all__ = [
    "DEFAULT_MAX_RAM_BELOW_4G",
    "DEFAULT_RAM",
    "MAX_CPUS",
    "DeviceSpec",
    "DriveSpec",
    "MachineConfig",
    "NumaNode",
    "ObjectSpec",
    "check_ram_size",
    "parse_ram_size",
]

MIN_RAM = MIB
MAX_RAM = TIB

DEFAULT_RAM = 128 * MIB
DEFAULT_MAX_RAM_BELOW_4G = 0xE000_0000


def parse_ram_size(text: str) -> int:
    """Return the bytes of RAM that ``-m`` asks for, in QEMU's syntax: ``128M``, ``4G``, ``96``.

    A number without a suffix counts MiB; ``size=`` may stand in front.

    Raises:
        ConfigError: not a size, or not between 1 MiB and 1 TiB.
        UnsupportedError: ``slots=`` or ``maxmem=``, where memory cannot be plugged in.
    """
    memory = MemoryOption.parse([text], DEFAULT_RAM)
    if memory.maximum:
        raise UnsupportedError(
            f"-m {text}: nothing can be plugged into this machine: give the size alone"
        )
    return check_ram_size(memory.size or DEFAULT_RAM, text)


def check_ram_size(size: int, text: str = "") -> int:
    """Return ``size`` if a PC can have that much RAM.

    Raises:
        ConfigError: it is not between 1 MiB and 1 TiB.
    """
    if not MIN_RAM <= size <= MAX_RAM:
        raise ConfigError(
            f"-m {text or exact_size(size)}: {exact_size(size)} of RAM is impossible: give 1M to 1T"
        )
    return size


@dataclass(frozen=True, slots=True)
class MachineConfig:
    """A machine as ``-M pc-i440fx-7.2 -nodefaults -vga none`` describes it.

    Attributes:
        ram_size: bytes, 1 MiB to 1 TiB; 0 where the board needs none.
        max_ram_below_4g: bytes that RAM may fill below 4 GiB, at most.
        cpus: virtual CPUs; an engine that runs one alone runs the first.
        max_cpus: CPUs there may ever be; 0 for no more than there are.
        sockets: how many sockets they are spread over.
        threads: threads of a core; what remains are cores of a socket.
        smm: whether firmware may set up system management mode (it is refused with False, as by
            QEMU's ``smm=off``); None: where the engine has it.
        vapic: whether the kvmvapic option port is there (QEMU's ``apic-common.vapic``).
        bios: firmware image; None finds the distribution's SeaBIOS.
        debugcon: whether the firmware debug console is at port 402h.
        serial: whether a serial port is at 3F8h.
        parallel: whether a parallel port is at 378h.
        vga: the display adapter that the board has: "none" or "std" (QEMU's ``-vga``).
        nic: the network card that the board has: "none" or "e1000" (QEMU's ``-nic model=``).
        drives: disks and CD-ROMs, each at its place.
        devices: further devices, PCI and others, in the order in which they are made.
        slots: DIMMs that may be plugged in, at most 256.
        max_ram: bytes of RAM with all that may be plugged in; 0 for no more than there is.
        numa_nodes: which CPUs and memory belong together; none for a machine without NUMA.
        objects: back-ends and other objects, made before the machine, in this order.
        memory_backend: the id of the one among them that is all of the RAM; "" for none.
        option_roms: files whose code firmware runs, in the order in which they were named.
        kernel: a Linux kernel for the firmware to boot (a bzImage); None for none.
        initrd: its initial RAM disk.
        append: its command line.
        kernel_entry: the width of its code that is entered: 16, real mode, or 32, protected mode.
        acpi: whether there are ACPI tables and the power management function; without, memory
            cannot be plugged in.
        memory_hotplug: whether the power management function lets memory be plugged in (QEMU's
            ``PIIX4_PM.memory-hotplug-support``).
        name: what the machine is called.
        uuid: the machine's; None for all zeros.
        qemu_readonly_rules: let DMA write through read-only aliases, as QEMU does.
        machine: the board's name, see :data:`guestmap.machine.boards.BOARDS`.
        options: further options of the board, by name; the board's declaration has their types.
    """

    ram_size: int = DEFAULT_RAM
    max_ram_below_4g: int = DEFAULT_MAX_RAM_BELOW_4G
    cpus: int = 1
    smm: bool | None = False
    vapic: bool = False
    bios: Path | None = None
    debugcon: bool = False
    serial: bool = False
    parallel: bool = False
    vga: str = "none"
    nic: str = "none"
    drives: tuple[DriveSpec, ...] = ()
    devices: tuple[DeviceSpec, ...] = ()
    qemu_readonly_rules: bool = False
    slots: int = 0
    max_ram: int = 0
    numa_nodes: tuple[NumaNode, ...] = ()
    objects: tuple[ObjectSpec, ...] = ()
    memory_backend: str = ""
    option_roms: tuple[Path, ...] = ()
    acpi: bool = True
    memory_hotplug: bool = True
    name: str = ""
    uuid: UUID | None = None
    max_cpus: int = 0
    sockets: int = 1
    threads: int = 1
    kernel: Path | None = None
    initrd: Path | None = None
    append: str = ""
    kernel_entry: int = 16
    machine: str = "pc-i440fx-7.2"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.ram_size or self.board.min_ram:
            check_ram_size(self.ram_size)
        if self.max_ram_below_4g > 4 * GIB:
            raise ConfigError(
                f"Machine option 'max-ram-below-4g={self.max_ram_below_4g}'"
                " expects size less than or equal to 4G"
            )
        if self.max_ram_below_4g < MIB:
            raise ConfigError(
                f"max-ram-below-4g=0x{self.max_ram_below_4g:x} leaves no room for the first MiB:"
                " give 1M to 4G"
            )
        if not 1 <= self.cpus <= MAX_CPUS:
            raise ConfigError(f"-smp {self.cpus}: give 1 to {MAX_CPUS} CPUs")
        if self.topology.max_cpus > self.board.max_cpus:
            raise ConfigError(
                f"Invalid SMP CPUs {self.topology.max_cpus}. The max CPUs supported by machine"
                f" '{self.machine}' is {self.board.max_cpus}"
            )
        if self.vga not in ("none", *self.board.display_adapters):
            raise UnsupportedError(
                f"-vga {self.vga} is not modelled for {self.machine}: there are"
                f" {', '.join(('none', *self.board.display_adapters))}"
            )
        if self.nic not in ("none", *self.board.network_cards):
            raise UnsupportedError(
                f"network card {self.nic} is not modelled for {self.machine}: there are"
                f" {', '.join(('none', *self.board.network_cards))}"
            )
        for drive in self.drives:
            if drive.interface not in (*self.board.drive_interfaces, "none"):
                raise UnsupportedError(
                    f"drive {drive.name}: {self.machine} has nothing to hang it on"
                )
        if self.kernel is None:
            self._refuse_parts_of_a_kernel()
        self._check_topology()
        check_hotplug(self.ram_size, self.slots or None, self.max_ram or None)
        check_nodes(self.numa_nodes, self.ram_size, self.topology.max_cpus)
        if self.memory_backend:
            self._check_memory_backend()

    def _refuse_parts_of_a_kernel(self) -> None:
        given = {
            "initrd": self.initrd is not None, "append": self.append,
            "kernel-entry": self.kernel_entry != 16,
        }  # fmt: skip
        for what in (name for name, there in given.items() if there):
            raise ConfigError(f"-{what} only allowed with -kernel option")

    @property
    def has_smm(self) -> bool:
        """Whether there is a system management mode; there is one where nobody knows the engine."""
        return self.smm is not False

    @property
    def board(self) -> BoardType:
        """The board's declaration."""
        return board_type(self.machine)

    @classmethod
    def with_default_ram(cls, **fields: Any) -> MachineConfig:
        """Return a machine with as much RAM as its board has where nothing is said."""
        return cls(**fields, ram_size=board_type(fields.get("machine", "pc")).default_ram)

    def option(self, name: str) -> Any:
        """Return one of the board's further options, or its default."""
        return self.board.value(self.options, name)

    @property
    def topology(self) -> CpuTopology:
        """The CPUs, all that there may be."""
        return CpuTopology(self.cpus, self.max_cpus or self.cpus, self.sockets, self.threads)

    def _check_topology(self) -> None:
        cpus, most, sockets, threads = self.topology
        if sockets < 1 or threads < 1 or most % (sockets * threads) or not cpus <= most <= MAX_CPUS:
            raise ConfigError(
                f"{cpus} CPUs of at most {most} cannot be {sockets} sockets with cores of"
                f" {threads} threads"
            )

    def _check_memory_backend(self) -> None:
        if any(node.memdev for node in self.numa_nodes):
            raise ConfigError(
                "'-machine memory-backend' and '-numa memdev' properties are mutually exclusive"
            )
        backend = next((each for each in self.objects if each.id == self.memory_backend), None)
        if backend is None:
            raise ConfigError(f"Memory backend '{self.memory_backend}' not found")
        if backend.properties.get("size") != self.ram_size:
            raise ConfigError("Machine memory size does not match the size of the memory backend")
