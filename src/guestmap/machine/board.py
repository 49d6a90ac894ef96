"""What every board is to whoever runs, manages or looks at it.

A board is all of a machine but its CPUs. The monitor, the command line and the engines know boards
by what stands here, and by nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from guestmap.base import ADDRESS_SPACE_SIZE, GIB, Clock, ConfigError, HostClock
from guestmap.hw.acpi.pm import WakeCause
from guestmap.hw.device import Space
from guestmap.machine.events import MachineEvents
from guestmap.machine.hotplug.backends import backend_types
from guestmap.machine.hotplug.pc_dimm import DIMM, OTHER_MEMORY_DEVICES, pc_dimm_types
from guestmap.machine.management import Management
from guestmap.machine.placement import MapPlacer
from guestmap.machine.ram import blamed_on
from guestmap.machine.secret import secret_types
from guestmap.machine.tree import MachineTree, machine_types
from guestmap.memory import AddressSpace, MemorySystem
from guestmap.memory.map import UNASSIGNED_IO_OPS

if TYPE_CHECKING:
    from pathlib import Path

    from guestmap.accel import Irqchip, Processor
    from guestmap.hw.medium import Medium
    from guestmap.hw.parallel import ParallelPort
    from guestmap.hw.pci import PciBus
    from guestmap.hw.placement import Placeable
    from guestmap.hw.serial import Serial16550
    from guestmap.hw.vga.adapter import DisplayAdapter
    from guestmap.hw.vga.screen import ScreenPicture
    from guestmap.hw.vga.text import ScreenText
    from guestmap.hw.virtio.balloon import VirtioBalloon
    from guestmap.machine.config import MachineConfig
    from guestmap.machine.drives import DriveBay
    from guestmap.machine.input import InputDevices
    from guestmap.machine.saveable import Saveable

IO_SIZE: Final = 0x10000
_LONG_PREALLOCATION = GIB // 4
"""Bytes from which on it is told how preallocation gets on; less is done in a moment."""


class CpuPin(Protocol):
    """A CPU's INTR pin and acknowledge cycle, as engines see them.

    Attributes:
        on_change: called when the pin changes.
    """

    on_change: Callable[[], None]

    @property
    def pending(self) -> bool:
        """Whether the pin is high."""

    def acknowledge(self) -> int:
        """Run the acknowledge cycle: return the vector."""


class Board:
    """A machine without its CPUs. A subclass builds one, and resets its devices.

    Args:
        config: what to build.
        clock: the devices' time; the host's where none is given. A clock chip counts on its
            ``host``, as with QEMU's ``-rtc clock=host``: its time of day goes on in a pause.
        epoch_ns: what the clock chip shows when that is at 0, since 1970; now if None.

    Attributes:
        system: the memory system.
        placer: puts devices into it.
        system_region, io_region: the roots of memory and I/O.
        memory, io: the address spaces ``memory`` and ``I/O``.
        cpu_memory: what the first CPU sees.
        smm_memory: what it sees in system management mode; None for a machine without that.
        debug_port: the port of the firmware's debug console, whose bytes go nowhere else than to
            ``on_debug_text``; None without.
        pins: the INTR pin of each CPU.
        cpus: CPUs there are; 0 for a machine that runs nothing.
        bus: the root PCI bus; None without PCI.
        serial: the first serial port; None without.
        parallel: the first parallel port; None without.
        balloon: the memory balloon; None without.
        input: keyboard and mouse; None without.
        firmware_path: the firmware's image file; None without firmware.
        events: what it tells whoever manages it.
        media: what its drives keep their data on.
        types, tree: its types of objects, and the objects.
        manage: what can be done to them.
        on_reset_request: called with the reason when the guest asks for a reset.
        on_power_off, on_suspend: called when the guest switches itself off, or to sleep in RAM.
        on_wake: called with the cause where a device wakes a machine that sleeps.
        on_a20: called with the level of the A20 gate.
        on_smi: called with a CPU's number for a system management interrupt.
        on_init: called with a CPU's number for an INIT message.
        on_startup: called with a CPU's number, and the vector, for a STARTUP message.
        on_debug_text: called with what is written to the firmware's debug console, some at a time.

    Raises:
        ConfigError: no firmware image, or devices that cannot be.
        HostError: the host has no room for the RAM.
        UnsupportedError: a device that is not modelled.
    """

    pins: tuple[CpuPin, ...]
    bus: PciBus | None = None
    serial: Serial16550 | None = None
    parallel: ParallelPort | None = None
    balloon: VirtioBalloon | None = None
    input: InputDevices | None = None
    firmware_path: Path | None = None
    smm_memory: AddressSpace | None = None
    debug_port: int | None = None

    def __init__(
        self, config: MachineConfig, clock: Clock | None = None, *, epoch_ns: int | None = None
    ) -> None:
        self.config = config
        self.clock = clock if clock is not None else HostClock()
        self.events = MachineEvents()
        self.media: list[Medium] = []
        self.on_reset_request: Callable[[str], None] = lambda _reason: None
        self.on_power_off: Callable[[], None] = lambda: None
        self.on_suspend: Callable[[], None] = lambda: None
        self.on_wake: Callable[[WakeCause], None] = lambda _cause: None
        self.on_a20: Callable[[bool], None] = lambda _level: None
        self.on_smi: Callable[[int], None] = lambda _cpu: None
        self.on_init: Callable[[int], None] = lambda _cpu: None
        self.on_startup: Callable[[int, int], None] = lambda _cpu, _vector: None
        self.on_debug_text: Callable[[bytes], None] = lambda _text: None
        self.prepare()
        self.system = MemorySystem(
            now_ns=self.clock.now_ns, enforce_readonly=not config.qemu_readonly_rules
        )
        self.placer = MapPlacer(self.system)
        self.types = machine_types()
        self.types.add(
            *backend_types(self.system, self._preallocated, cpus=config.cpus),
            *secret_types(),
            *pc_dimm_types(len(config.numa_nodes) or int(config.slots > 0)),
        )
        self.tree = MachineTree(self.types)
        self.manage = Management(self.tree, config.ram_size, self.events)
        try:
            with self.system.transaction("machine built"):
                self._build_roots()
                self.build(time.time_ns() if epoch_ns is None else epoch_ns)
        except BaseException:
            self.close()
            raise
        self.system_reset()

    def _build_roots(self) -> None:
        self.system_region = self.system.container("system", ADDRESS_SPACE_SIZE)
        self.io_region = self.system.io("io", IO_SIZE, UNASSIGNED_IO_OPS)
        self.memory = self.system.address_space("memory", self.system_region)
        self.io = self.system.address_space("I/O", self.io_region)
        self.cpu_memory = self.memory

    def debug_byte(self, byte: int) -> None:
        """Take a byte that was written to the firmware's debug console."""
        self.on_debug_text(bytes((byte,)))

    def place(self, *blocks: Placeable) -> None:
        """Give devices the registers that they want, where they want them."""
        containers = {Space.MEMORY: self.system_region, Space.IO: self.io_region}
        self.placer.place(containers, *blocks)

    def _preallocated(self, name: str, done: int, total: int) -> None:
        if total >= _LONG_PREALLOCATION:
            progress = {"id": name, "done": done, "total": total}
            self.events.emit("X_GUESTMAP_PREALLOC_PROGRESS", progress)

    # -- what a subclass says ----------------------------------------------------------------------

    def prepare(self) -> None:
        """Read what is needed before anything is built: refuse what can be refused."""

    def build(self, epoch_ns: int) -> None:
        """Build everything below the roots, and the object tree."""
        raise NotImplementedError

    def reset_devices(self) -> None:
        """Reset every device."""

    @property
    def cpus(self) -> int:
        """CPUs there are; 0 for a machine that runs nothing."""
        return self.config.cpus

    @property
    def interrupts(self) -> CpuPin:
        """The first CPU's INTR pin."""
        return self.pins[0]

    @property
    def processors(self) -> tuple[Processor, ...]:
        """What each CPU tells of itself and its place."""
        return ()

    @property
    def register_blocks(self) -> Mapping[str, Saveable]:
        """All that has a state, by its place in the machine: what a saved machine holds."""
        return {}

    def use_irqchip(self, chip: Irqchip) -> None:
        """Have interrupt controllers be the accelerator's, before the first instruction."""

    def executes(self, cpu: int) -> None:
        """Note which CPU's accesses are made from now on."""

    @property
    def drive_bays(self) -> tuple[DriveBay, ...]:
        """What it has for media: disks, CD-ROM and floppy drives, in the order of the devices."""
        return ()

    @property
    def display(self) -> DisplayAdapter[Any] | None:
        """The display adapter; None without."""
        return None

    def picture(self) -> ScreenPicture | None:
        """Return what the screen shows; None where there is none."""
        return None if self.display is None else self.display.picture()

    def text(self) -> ScreenText | None:
        """Return what a text screen shows; None where there is none, or it shows a picture."""
        return None if self.display is None else self.display.text()

    def press_power_button(self) -> None:
        """Tell the guest, where the board has a power button."""

    # -- sleep -------------------------------------------------------------------------------------

    @property
    def can_wake(self) -> bool:
        """Whether the guest can sleep in RAM, and be woken."""
        return False

    @property
    def wakes_itself(self) -> bool:
        """Whether an alarm that the guest has set will wake it."""
        return False

    def wakes_by(self, cause: WakeCause) -> bool:
        """Tell whether the guest lets that wake it."""
        return cause is WakeCause.OTHER

    def wake_up(self, cause: WakeCause) -> None:
        """Reset every device, and leave the cause for the guest: of a board that ``can_wake``."""

    def refuse_devices(self) -> None:
        """Refuse every device: for boards that have no bus for one, and no place for a DIMM.

        Raises:
            ConfigError: there is one; QEMU's words, but that it takes a DIMM and puts it nowhere.
        """
        for spec in self.config.devices:
            with blamed_on(spec.option):
                if spec.driver in OTHER_MEMORY_DEVICES | {DIMM}:
                    raise ConfigError(
                        f"machine type {self.config.machine} has no place for {spec.driver}:"
                        " nothing can be plugged into it"
                    )
                raise ConfigError(f"No 'PCI' bus found for device '{spec.driver}'")

    # -- running -----------------------------------------------------------------------------------

    @property
    def address_spaces(self) -> tuple[AddressSpace, ...]:
        """All address spaces, oldest first."""
        return self.system.address_spaces

    def system_reset(self) -> None:
        """Reset every device, as the reset wire does; RAM keeps its content."""
        with self.system.transaction("system reset"):
            self.reset_devices()

    def close(self) -> None:
        """Let go of the host's memory and files. May be called again."""
        self.system.close()
        for medium in self.media:
            medium.close()
