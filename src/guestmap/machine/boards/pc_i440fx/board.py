"""The PC: i440FX and PIIX, wired as QEMU 7.2's pc-i440fx-7.2 (hw/i386/pc_piix.c).

No CPU is in here: an engine is put on :attr:`Pc.cpu_memory` and :attr:`Pc.io`, or a program plays
the CPU itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from guestmap.base import ADDRESS_SPACE_SIZE, GIB, Clock, HostClock
from guestmap.firmware import FirmwareConfig, cmos_bytes, find_bios, fw_cfg_items, load_bios
from guestmap.firmware.acpi import AcpiConfig, DeviceMemory, NumaNode, acpi_files
from guestmap.firmware.linux_boot import LinuxBoot, linux_boot
from guestmap.firmware.option_roms import option_rom_files
from guestmap.hw.acpi_pm import PowerActions
from guestmap.hw.apic_bus import ApicBus
from guestmap.hw.fw_cfg import FwCfg
from guestmap.hw.hpet import Hpet
from guestmap.hw.i440fx import I440FX
from guestmap.hw.i8259 import I8259Pair
from guestmap.hw.ioapic import IoApic
from guestmap.hw.pci import ConfigMechanism, PciBus, PciDevice
from guestmap.hw.pci.host import ADDRESS_PORT, DATA_PORT
from guestmap.hw.piix3 import Piix3
from guestmap.hw.piix3_ide import Piix3Ide
from guestmap.hw.piix4_pm import Piix4Pm
from guestmap.machine.boards.interrupts import CpuInterrupts, global_lines
from guestmap.machine.boards.pc_i440fx import layout
from guestmap.machine.boards.pc_i440fx.devices import add_device
from guestmap.machine.boards.pc_i440fx.isa import IsaDevices
from guestmap.machine.composition import MachineTree, compose, machine_types
from guestmap.machine.config import MachineConfig
from guestmap.machine.events import MachineEvents
from guestmap.machine.hotplug.backends import backend_types
from guestmap.machine.hotplug.device_memory import DeviceMemory as PluggableMemory
from guestmap.machine.hotplug.handler import MemoryHotplug
from guestmap.machine.hotplug.pc_dimm import pc_dimm_types
from guestmap.machine.management import MEMORY_DEVICES, Management
from guestmap.machine.options.smp import with_homes
from guestmap.machine.ram import blamed_on, make_objects, make_ram
from guestmap.memory import AddressSpace, MemoryRegion, MemorySystem
from guestmap.memory.map import UNASSIGNED_IO_OPS

_PIIX3, _PIIX3_IDE, _PIIX4_PM = 1 << 3, 1 << 3 | 1, 1 << 3 | 3
_SCI = 9
_IO_SIZE = 0x10000
_LONG_PREALLOCATION = GIB // 4
"""Bytes from which on it is told how preallocation gets on; less is done in a moment."""


class Pc:
    """All of the machine but its CPU.

    Args:
        config: what to build.
        clock: the devices' time; the host's where none is given. The clock chip counts on its
            ``host``, as with QEMU's ``-rtc clock=host``: its time of day goes on in a pause.
        epoch_ns: what the clock chip shows when that is at 0, since 1970; now if None.

    Attributes:
        system: the memory system.
        memory, io: the address spaces ``memory`` and ``I/O``.
        cpu_memory: what the first CPU sees.
        ram: all RAM, ``pc.ram``.
        bios_path, bios: the firmware's image file, and its content.
        firmware, board: what firmware and ACPI tables are told.
        interrupts: the first CPU's INTR pin.
        bus: the root PCI bus.
        events: what it tells whoever manages it.
        types, tree: its types of objects, and the objects.
        manage: what can be done to them.
        device_memory: where memory devices go; None where none can be plugged in.
        on_reset_request: called with the reason when the guest asks for a reset.
        on_power_off, on_suspend: called when the guest switches itself off, or to sleep in RAM.
        on_a20: called with the level of the A20 gate.
        on_debug_byte: called with each byte of the firmware's debug console.

    Raises:
        ConfigError: no firmware image, or devices that cannot be.
        HostError: the host has no room for the RAM.
        UnsupportedError: a device that is not modelled.
    """

    def __init__(
        self, config: MachineConfig, clock: Clock | None = None, *, epoch_ns: int | None = None
    ) -> None:
        self.config = config
        self.clock = clock if clock is not None else HostClock()
        self.events = MachineEvents()
        self.layout = layout.RamLayout.of(config)
        self.on_reset_request: Callable[[str], None] = lambda _reason: None
        self.on_power_off: Callable[[], None] = lambda: None
        self.on_suspend: Callable[[], None] = lambda: None
        self.on_a20: Callable[[bool], None] = lambda _level: None
        self.on_debug_byte: Callable[[int], None] = lambda _byte: None
        self.bios_path = find_bios(config.bios)
        self.bios = load_bios(self.bios_path)
        self.firmware = self._firmware_config()
        self.board = self._board()
        self.system = MemorySystem(
            now_ns=self.clock.now_ns, enforce_readonly=not config.qemu_readonly_rules
        )
        self.types = machine_types()
        self.types.add(
            *backend_types(self.system, self._preallocated, cpus=config.cpus),
            *pc_dimm_types(len(config.numa_nodes) or int(config.slots > 0)),
        )
        self.tree = MachineTree(self.types)
        self.manage = Management(self.tree, config.ram_size, self.events)
        try:
            with self.system.transaction("machine built"):
                self._build(time.time_ns() if epoch_ns is None else epoch_ns)
        except BaseException:
            self.system.close()
            raise
        self.system_reset()

    def _preallocated(self, name: str, done: int, total: int) -> None:
        if total >= _LONG_PREALLOCATION:
            progress = {"id": name, "done": done, "total": total}
            self.events.emit("X_GUESTMAP_PREALLOC_PROGRESS", progress)

    def _firmware_config(self) -> FirmwareConfig:
        ram = self.layout
        return FirmwareConfig(
            below_4g=ram.below, above_4g=ram.above, above_4g_start=ram.above_start,
            cpus=self.config.cpus, max_cpus=self.config.max_cpus, sockets=self.config.sockets,
            threads=self.config.threads, uuid=self.config.uuid,
        )  # fmt: skip

    def _board(self) -> AcpiConfig:
        config, plug = self.config, layout.DeviceMemoryLayout.of(self.config)
        nodes = with_homes(config.numa_nodes, config.topology)
        return AcpiConfig(
            firmware=self.firmware, smm=config.smm, serial=config.serial,
            device_memory=DeviceMemory(*plug) if plug is not None else None,
            numa_nodes=tuple(NumaNode(node.memory, node.cpus) for node in nodes),
        )  # fmt: skip

    # -- wiring ----------------------------------------------------------------------------------

    def _build(self, epoch_ns: int) -> None:
        memory = self.system
        self.system_region = memory.container("system", ADDRESS_SPACE_SIZE)
        self.io_region = memory.io("io", _IO_SIZE, UNASSIGNED_IO_OPS)
        self.memory = memory.address_space("memory", self.system_region)
        self.io = memory.address_space("I/O", self.io_region)
        self._build_cpus()
        make_objects(self.config, self.manage)
        self._build_ram()
        self._build_device_memory()
        pci = self._build_pci()
        self._build_roms(pci)
        self._build_isa(epoch_ns)
        self._build_functions()
        self._build_smm()
        self._prepare_hotplug()
        self._plug_devices()
        compose(self, self.tree)
        self._plug_memory()

    def _build_cpus(self) -> None:
        cpus = range(self.config.cpus)
        views = [self.system.address_space(f"cpu-memory-{n}", self.system_region) for n in cpus]
        self.cpu_memory = views[0]
        present = self.firmware.apic_ids[: self.config.cpus]
        self.apics = ApicBus(self.system, self.clock, present)
        self.system_region.add_subregion(layout.APIC_BASE, self.apics.region, layout.APIC_PRIORITY)

    def _build_ram(self) -> None:
        ram = self.layout
        self.ram = make_ram(self.config, self.system, self.tree)
        below = self.system.alias("ram-below-4g", self.ram, 0, ram.below)
        self.system_region.add_subregion(0, below)
        if ram.above:
            above = self.system.alias("ram-above-4g", self.ram, ram.below, ram.above)
            self.system_region.add_subregion(ram.above_start, above)

    def _build_device_memory(self) -> None:
        self.device_memory: PluggableMemory | None = None
        place = layout.DeviceMemoryLayout.of(self.config)
        if place is not None:
            most = self.config.max_ram - self.config.ram_size
            self.device_memory = PluggableMemory(self.system, self.system_region, place, most)

    def _build_pci(self) -> MemoryRegion:
        pci = self.system.container("pci", ADDRESS_SPACE_SIZE)
        self.system_region.add_subregion(0, pci, -1)
        self.bus = PciBus(self.system, pci, self.io_region, self.system_region)
        self.i440fx = I440FX(self.bus, self.system_region, self.ram)
        self.config_mechanism = ConfigMechanism(self.bus)
        self.io_region.add_subregion(ADDRESS_PORT, self.config_mechanism.address_region)
        self.io_region.add_subregion(DATA_PORT, self.config_mechanism.data_region)
        return pci

    def _build_roms(self, pci: MemoryRegion) -> None:
        size = len(self.bios)
        bios = self.system.rom("pc.bios", size)
        assert bios.buffer is not None
        bios.buffer[:size] = self.bios
        shown = min(size, layout.ISA_BIOS_MAX)
        isa_bios = self.system.alias("isa-bios", bios, size - shown, shown)
        pci.add_subregion(layout.ISA_END - shown, isa_bios, 1)
        pci.add_subregion(layout.BIOS_END - size, bios)
        option_roms = self.system.rom("pc.rom", layout.OPTION_ROM_SIZE)
        pci.add_subregion(layout.OPTION_ROM_BASE, option_roms, 1)

    def _build_isa(self, epoch_ns: int) -> None:
        memory, clock = self.system, self.clock
        self.pic = I8259Pair(memory)
        self.pic.intr.connect(self.apics.set_pic_intr)
        self.ioapic = IoApic(memory, self.apics.deliver, self.pic.acknowledge)
        self.apics.broadcast_eoi = self.ioapic.end_of_interrupt
        self.interrupts = CpuInterrupts(self.pic, self.apics)
        self.lines = global_lines(self.pic, self.ioapic)
        self.hpet = Hpet(memory, clock, self.lines, self.apics.send_msi)
        self.system_region.add_subregion(layout.IOAPIC_BASE, self.ioapic.region)
        self.system_region.add_subregion(layout.HPET_BASE, self.hpet.region)
        self.fw_cfg = FwCfg(memory, self.memory)
        acpi = self.config.acpi
        files = (acpi_files(self.board) if acpi else {}) | option_rom_files(self.config.option_roms)
        linux = self._linux()
        items = fw_cfg_items(self.firmware, files | linux.files, board=self.board, acpi=acpi)
        for key, data in (items.numbered | linux.numbered).items():
            self.fw_cfg.add_bytes(key, data)
        for name, data in items.files.items():
            self.fw_cfg.add_file(name, data)
        self.isa = IsaDevices(
            self.config, memory, clock, self.lines, self.memory, self.hpet,
            epoch_ns=epoch_ns,
            on_reset=lambda reason: self.on_reset_request(reason),
            on_a20=lambda level: self.on_a20(level),
            on_debug_byte=lambda byte: self.on_debug_byte(byte),
        )  # fmt: skip
        self.isa.place(self.io_region)
        for port, region in (*self.pic.regions, *self.fw_cfg.regions):
            self.io_region.add_subregion(port, region)
        for index, value in cmos_bytes(self.firmware).items():
            self.isa.rtc.set_cmos(index, value)

    def _linux(self) -> LinuxBoot:
        config = self.config
        if config.kernel is None:
            return LinuxBoot({}, {})
        return linux_boot(config.kernel, config.initrd, config.append, self.layout.below)

    def _build_functions(self) -> None:
        self.piix3 = Piix3(
            self.bus, _PIIX3, self.lines[:16], lambda: self.on_reset_request("port CF9h")
        )
        self.ide = Piix3Ide(self.bus, _PIIX3_IDE)
        actions = PowerActions(
            power_off=lambda: self.on_power_off(), suspend=lambda: self.on_suspend()
        )
        self.pm: Piix4Pm | None = None
        if self.config.acpi:
            self.pm = Piix4Pm(
                self.bus, _PIIX4_PM, self.clock, self.lines[_SCI],
                actions=actions, apic_ids=self.firmware.apic_ids, cpus=self.config.cpus,
                raise_smi=_ignore_smi if self.config.smm else None,
                memory_slots=self.board.slots if self.config.memory_hotplug else 0,
                on_eject=self._eject,
                serial_ports=int(self.config.serial),
            )  # fmt: skip

    def _eject(self, device: PciDevice) -> None:
        """Take a PCI function out that the guest has let go."""
        device.remove()
        self.manage.remove_hardware(device)

    def _build_smm(self) -> None:
        """Build what each CPU would see in system management mode: SMRAM over the system."""
        for n in range(self.config.cpus):
            root = self.system.container("memory", ADDRESS_SPACE_SIZE)
            smram = self.system.alias("smram", self.i440fx.smram, 0, 4 * GIB)
            rest = self.system.alias("memory", self.system_region, 0, ADDRESS_SPACE_SIZE)
            root.add_subregion(0, rest)
            root.add_subregion(0, smram, 1)
            self.system.address_space(f"cpu-smm-{n}", root)

    def _prepare_hotplug(self) -> None:
        self.manage.hotplug = MemoryHotplug(
            slots=self.config.slots, memory=self.device_memory,
            controller=self.pm.memory_hotplug if self.pm is not None else None,
            acpi=self.config.acpi, supported=self.config.memory_hotplug,
            events=self.events, remove=self.manage.remove,
        )  # fmt: skip

    def _plug_devices(self) -> None:
        buses = {"pci.0": self.bus}
        for spec in self.config.devices:
            if spec.driver not in MEMORY_DEVICES:
                add_device(spec, buses)
        self.bus.machine_done()

    def _plug_memory(self) -> None:
        for spec in self.config.devices:
            if spec.driver in MEMORY_DEVICES:
                with blamed_on(spec.option):
                    rest = {k: v for k, v in spec.properties.items() if k != "id"}
                    self.manage.device_add(
                        spec.driver, spec.id, rest, hotplugged=False, typed=spec.is_json
                    )

    # -- running ---------------------------------------------------------------------------------

    @property
    def address_spaces(self) -> tuple[AddressSpace, ...]:
        """All address spaces, oldest first."""
        return self.system.address_spaces

    def system_reset(self) -> None:
        """Reset every device, as the reset wire does; RAM keeps its content."""
        with self.system.transaction("system reset"):
            self.bus.reset()
            self.pic.reset()
            self.ioapic.reset()
            self.apics.reset()
            self.hpet.reset()
            self.fw_cfg.reset()
            self.isa.reset()


def _ignore_smi() -> None:
    """No engine enters system management mode: firmware that asks for it waits in vain."""
