"""The PC: i440FX and PIIX, wired as QEMU 7.2's pc-i440fx-7.2 (hw/i386/pc_piix.c).

No CPU is in here: an engine is put on :attr:`Pc.cpu_memory` and :attr:`Pc.io`, or a program plays
the CPU itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from guestmap.accel import Irqchip, Processor
from guestmap.base import ADDRESS_SPACE_SIZE
from guestmap.firmware import cmos_bytes, find_bios, fw_cfg_items, load_bios
from guestmap.firmware.acpi import acpi_files
from guestmap.firmware.cmos import drive_bytes
from guestmap.firmware.option_roms import load_rom
from guestmap.hw import debugcon
from guestmap.hw.acpi.pm import STATUS_POWER_BUTTON, PowerActions, WakeCause
from guestmap.hw.apic.ioapic import IoApic
from guestmap.hw.fw_cfg import FwCfg
from guestmap.hw.hpet import Hpet
from guestmap.hw.i440fx import I440FX
from guestmap.hw.i8259 import I8259Pair
from guestmap.hw.kvmvapic import RomPlace
from guestmap.hw.pci import ConfigMechanism, PciBus
from guestmap.machine.board import Board
from guestmap.machine.boards.pc_i440fx import layout
from guestmap.machine.boards.pc_i440fx.functions import ChipsetFunctions
from guestmap.machine.boards.pc_i440fx.isa import IsaDevices
from guestmap.machine.boards.pc_i440fx.told import acpi_config, firmware_config
from guestmap.machine.boards.pc_i440fx.tree import compose
from guestmap.machine.boards.x86.bios import map_bios
from guestmap.machine.boards.x86.cpus import CpuViews, processors_of
from guestmap.machine.boards.x86.fw_cfg import fill as fill_fw_cfg
from guestmap.machine.boards.x86.interrupts import CpuInterrupts, GlobalLines, global_lines
from guestmap.machine.boards.x86.irqchip import connect_irqchip
from guestmap.machine.boards.x86.ram import map_ram
from guestmap.machine.hotplug.device_memory import DeviceMemory
from guestmap.machine.hotplug.handler import MemoryHotplug
from guestmap.machine.hotplug.pci import PciHotplug
from guestmap.machine.input import InputDevices
from guestmap.machine.ram import make_objects, make_ram
from guestmap.machine.saveable import Saveable, named
from guestmap.memory import MemoryRegion

if TYPE_CHECKING:
    from guestmap.hw.pci import PciFunction
    from guestmap.hw.vga.adapter import DisplayAdapter
    from guestmap.machine.drives import DriveBay


class Pc(Board):
    """All of the PC but its CPUs.

    Attributes:
        layout: where its RAM is.
        ram: all RAM, ``pc.ram``.
        bios: the firmware's content.
        vga: the display adapter; None without one.
        nic: the network card; None without one.
        firmware, acpi: what firmware and ACPI tables are told.
        irqchip: interrupt controllers that are the accelerator's; None without.
        device_memory: where memory devices go; None where none can be plugged in.
    """

    bus: PciBus
    pins: tuple[CpuInterrupts, ...]
    irqchip: Irqchip | None = None

    def prepare(self) -> None:
        """Find the firmware."""
        self.layout = layout.RamLayout.of(self.config)
        self.firmware_path = find_bios(self.config.bios)
        self.bios = load_bios(self.firmware_path)
        self.firmware = firmware_config(self.config, self.layout)
        self.acpi = acpi_config(self.config, self.firmware)

    # -- wiring ----------------------------------------------------------------------------------

    def build(self, epoch_ns: int) -> None:
        """Build the PC."""
        present = self.firmware.apic_ids[: self.config.cpus]
        self.views = CpuViews(
            self.system, self.system_region, self.clock, present, vapic=self.config.vapic
        )
        self.cpu_memory, self.apics = self.views.memory, self.views.apics
        make_objects(self.config, self.manage)
        self._build_ram()
        self._build_device_memory()
        pci = self._build_pci()
        self._build_roms(pci)
        self._build_isa(epoch_ns)
        self._build_functions()
        self.views.show_smram(self.i440fx.smram)
        if self.config.has_smm:
            self.smm_memory = self.views.smm_memory
        self._prepare_hotplug()
        compose(self, self.tree)
        self._plug_devices()
        for index, value in drive_bytes(self.isa.disk_shapes(), self.isa.floppy_types()).items():
            self.isa.rtc.set_cmos(index, value)

    def _build_ram(self) -> None:
        ram = self.layout
        self.ram = make_ram(self.config, self.system, self.tree)
        map_ram(self.system, self.system_region, self.ram, ram.below, ram.above_start)

    def _build_device_memory(self) -> None:
        self.device_memory: DeviceMemory | None = None
        range_ = layout.DeviceMemoryLayout.of(self.config)
        if range_ is not None:
            most = self.config.max_ram - self.config.ram_size
            self.device_memory = DeviceMemory(self.system, self.system_region, range_, most)

    def _build_pci(self) -> MemoryRegion:
        pci = self.system.container("pci", ADDRESS_SPACE_SIZE)
        self.system_region.add_subregion(0, pci, -1)
        self.bus = PciBus(self.placer, pci, self.io_region, self.system_region)
        self.i440fx = I440FX(self.bus, self.system_region, self.ram)
        self.config_mechanism = ConfigMechanism(self.bus)
        self.place(self.config_mechanism)
        return pci

    def _build_roms(self, pci: MemoryRegion) -> None:
        map_bios(self.system, pci, self.bios)
        option_roms = self.system.rom("pc.rom", layout.OPTION_ROM_SIZE)
        pci.add_subregion(layout.OPTION_ROM_BASE, option_roms, 1)

    def _build_isa(self, epoch_ns: int) -> None:
        self.pic = I8259Pair()
        self.pic.intr.connect(self.apics.set_pic_intr)
        self.ioapic = IoApic(self.apics.deliver, self.pic.acknowledge)
        self.apics.broadcast_eoi = self.ioapic.end_of_interrupt
        self.pins = tuple(
            CpuInterrupts(self.pic, self.apics, cpu) for cpu in range(self.config.cpus)
        )
        self.views.connect(self)
        self.lines = global_lines(self.pic, self.ioapic)
        self.hpet = Hpet(self.clock, self.lines, self.apics.send_msi)  # connected where it is there
        self.hpet_block = (self.hpet,) if self.config.option("hpet") else ()
        self.fw_cfg = FwCfg(self.memory)
        acpi = self.config.acpi
        tables = acpi_files(self.acpi) if acpi else {}
        items = fw_cfg_items(self.firmware, tables, board=self.acpi, acpi=acpi)
        fill_fw_cfg(self.fw_cfg, items, self.config, self.layout.below, self.firmware_path)
        self.isa = IsaDevices(
            self.config, self.clock, self.lines, self.memory,
            self.hpet if self.hpet_block else None,
            rom_place=RomPlace(self.memory, self.system_region, self.ram, self.placer),
            epoch_ns=epoch_ns,
            on_reset=lambda reason: self.on_reset_request(reason),
            on_a20=lambda level: self.on_a20(level),
            on_debug_byte=self.debug_byte,
        )  # fmt: skip
        self.serial, self.parallel = self.isa.serial, self.isa.parallel
        controller = self.isa.keyboard
        self.input = InputDevices(self.clock, controller.keyboard, controller.mouse)
        self.input.on_touch = lambda: self.on_wake(WakeCause.OTHER)
        self.isa.rtc.on_alarm = lambda: self.on_wake(WakeCause.RTC)
        self.debug_port = debugcon.PORT if self.config.debugcon else None
        self.place(self.ioapic, *self.hpet_block, *self.isa.blocks, *self.pic.chips, self.fw_cfg)
        for index, value in cmos_bytes(self.firmware).items():
            self.isa.rtc.set_cmos(index, value)

    def _build_functions(self) -> None:
        made = ChipsetFunctions(
            self.config, self.bus, self.clock, self.lines, self.isa.ide, self.acpi,
            self.firmware_path,
            on_reset=lambda reason: self.on_reset_request(reason),
            actions=PowerActions(lambda: self.on_power_off(), self._fall_asleep),
            on_smi=(lambda: self.on_smi(0)) if self.config.has_smm else None,
        )  # fmt: skip
        self.piix3, self.ide, self.pm = made.piix3, made.ide, made.pm
        self.vga, self.nic, self.usb = made.vga, made.nic, made.usb
        if self.config.drives:
            from guestmap.machine.boards.pc_i440fx.drives import attach_drives

            attach_drives(self.config.drives, self.isa.ide, self.isa.floppy, self.media)

    def _prepare_hotplug(self) -> None:
        self.bus.on_eject = self.manage.eject
        acpi = self.pm.pci_hotplug if self.pm is not None else None
        self.pci_hotplug = self.manage.pci_hotplug = PciHotplug(
            self.tree, acpi, lambda name: load_rom(name, self.firmware_path), self._connect
        )
        if any(spec.driver.startswith("ide-") for spec in self.config.devices):
            from guestmap.machine.hotplug.ide import IdePlug

            by_id = {each.id: each for each in self.config.drives if each.is_named}
            self.manage.ide = IdePlug(by_id, self.media)
        self.manage.hotplug = MemoryHotplug(
            slots=self.config.slots, memory=self.device_memory,
            controller=self.pm.memory_hotplug if self.pm is not None else None,
            acpi=self.config.acpi, supported=self.config.memory_hotplug,
            events=self.events, remove=self.manage.remove,
        )  # fmt: skip

    def _connect(self, function: PciFunction[Any]) -> None:
        """Give a function that was plugged in what it needs of the machine.

        Raises:
            ConfigError: it is a second balloon.
        """
        from guestmap.machine.boards.x86.balloon import connect_balloon

        connect_balloon(function, self)
        function.wind(self.clock)

    def _plug_devices(self) -> None:
        chipset = tuple(self.bus.devices.values())
        for spec in self.config.devices:
            if not spec.came_later:
                self.manage.plug(spec)
        self.bus.machine_done()
        for function in chipset:  # it masters the bus from now on, by a region of its own
            if (shown := self.tree.device(function)) is not None:
                shown.show_regions()
        self.pci_hotplug.complete()
        for spec in self.config.devices:
            if spec.came_later:
                self.manage.plug(spec)
        if self.manage.ide is not None and self.config.kernel is None:
            self.fw_cfg.add_file("bootorder", self.manage.ide.boot_order())

    # -- running ---------------------------------------------------------------------------------

    @property
    def register_blocks(self) -> Mapping[str, Saveable]:
        """All that has a state: controllers, the old devices, PCI functions, lines."""
        blocks = named(
            self.ioapic, *self.hpet_block, *self.apics.apics, *self.pic.chips, self.fw_cfg,
            self.config_mechanism, *self.isa.blocks, GlobalLines(self.lines),
            *(self.pm.eeproms if self.pm is not None else ()),
        )  # fmt: skip
        if self.media:
            from guestmap.machine.media.overlay import Overlay

            blocks |= {
                f"drive/{number}": each
                for number, each in enumerate(self.media)
                if isinstance(each, Overlay)
            }
        for number, bus in enumerate(self.bus.walk()):
            blocks[f"pci.{number}"] = bus
            for devfn, device in sorted(bus.devices.items()):
                blocks[f"pci.{number}/{devfn >> 3:02x}.{devfn & 7}"] = device
        return blocks

    def reset_devices(self) -> None:
        """Reset every device."""
        if self.irqchip is not None:
            self.irqchip.reset()
        self.bus.reset()
        self.pic.reset()
        self.ioapic.reset()
        self.apics.reset()
        self.hpet.reset()
        self.fw_cfg.reset()
        self.isa.reset()

    @property
    def processors(self) -> tuple[Processor, ...]:
        """What each CPU tells of itself."""
        return processors_of(self.firmware)

    def use_irqchip(self, chip: Irqchip) -> None:
        """Have interrupt controllers be the accelerator's, before the first instruction."""
        self.irqchip = chip
        connect_irqchip(chip, self.lines, self.pic, self.ioapic, self.apics, self.pins)

    def executes(self, cpu: int) -> None:
        """Have accesses to the APICs' page be that CPU's own."""
        self.apics.current = cpu

    @property
    def drive_bays(self) -> tuple[DriveBay, ...]:
        """Floppy drives, and drives on the IDE channels."""
        from guestmap.machine.boards.pc_i440fx.drives import drive_bays

        return drive_bays(self)

    @property
    def display(self) -> DisplayAdapter[Any] | None:
        """The display adapter."""
        from guestmap.hw.vga.adapter import DisplayAdapter

        adapters = (each for each in self.bus.devices.values() if isinstance(each, DisplayAdapter))
        return next(adapters, None)

    def press_power_button(self) -> None:
        """Tell the guest through ACPI's fixed event."""
        if self.pm is not None:
            self.pm.pm.raise_status(STATUS_POWER_BUTTON)

    # -- sleep -------------------------------------------------------------------------------------

    def _fall_asleep(self) -> None:
        self.isa.rtc.fall_asleep()
        self.on_suspend()

    @property
    def can_wake(self) -> bool:
        """Whether it has the registers for it."""
        return self.pm is not None

    @property
    def wakes_itself(self) -> bool:
        """Whether the clock chip's alarm is on, and may."""
        return self.isa.rtc.alarm_is_on and self.wakes_by(WakeCause.RTC)

    def wakes_by(self, cause: WakeCause) -> bool:
        """Tell whether the guest lets that wake it."""
        return self.pm is not None and self.pm.pm.wakes_by(cause)

    def wake_up(self, cause: WakeCause) -> None:
        """Reset every device; WAK_STS and the cause stand in PM1 afterwards."""
        with self.system.transaction("wake-up"):
            self.reset_devices()
        if self.pm is not None:
            self.pm.pm.raise_status(cause)
