"""The microvm, wired as QEMU 7.2 wires it (hw/i386/microvm.c, microvm_devices_init).

What an option switches off is not there at all. Firmware finds the virtio transports through the
ACPI tables or the kernel's command line; the tables are not made here, so it finds none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from guestmap.accel import Processor
from guestmap.firmware import FirmwareConfig, cmos_bytes, find_bios, load_bios
from guestmap.firmware.fw_cfg_items import microvm_items
from guestmap.hw.acpi.ged import POWER_DOWN, AcpiGed
from guestmap.hw.apic.ioapic import IoApic
from guestmap.hw.debugcon import DebugConsole
from guestmap.hw.device import DeviceModel
from guestmap.hw.fw_cfg import FwCfg
from guestmap.hw.i8254 import I8254
from guestmap.hw.i8259 import I8259Pair
from guestmap.hw.kvmvapic import KvmVapic
from guestmap.hw.mc146818 import Mc146818
from guestmap.hw.serial import Serial16550
from guestmap.hw.virtio_mmio import SIZE, VirtioMmio
from guestmap.machine.board import Board
from guestmap.machine.boards.microvm import layout, tree
from guestmap.machine.boards.x86.bios import fill, map_bios
from guestmap.machine.boards.x86.cpus import CpuViews, processors_of
from guestmap.machine.boards.x86.fw_cfg import fill as fill_fw_cfg
from guestmap.machine.boards.x86.interrupts import CpuInterrupts, GlobalLines, global_lines
from guestmap.machine.boards.x86.ram import map_ram
from guestmap.machine.ram import make_objects, make_ram
from guestmap.machine.saveable import Saveable, named

_CMOS: Final = frozenset({0x15, 0x16, 0x17, 0x18, 0x30, 0x31, 0x34, 0x35, 0x5B, 0x5C, 0x5D})
"""The sizes of memory, which are all that is told by the clock chip here."""


class Microvm(Board):
    """All of the microvm but its CPUs.

    Attributes:
        ram: all RAM, ``microvm.ram``.
        firmware: what firmware is told.
        devices: those that are one file each.
    """

    def prepare(self) -> None:
        """Find the firmware."""
        config = self.config
        self.refuse_devices()
        with_acpi, without_acpi = (name for name, _ in config.board.firmware)
        name = with_acpi if config.acpi else without_acpi
        self.firmware_path = find_bios(config.bios, name=name)
        self.image = load_bios(self.firmware_path)
        self.below, above = layout.split(config)
        self.firmware = FirmwareConfig(
            below_4g=self.below, above_4g=above, reserve_hypertransport=False,
            cpus=config.cpus, max_cpus=config.max_cpus, sockets=config.sockets,
            threads=config.threads, uuid=config.uuid, machine=config.board.name,
            machine_description=config.board.description,
        )  # fmt: skip

    def build(self, epoch_ns: int) -> None:
        """Build the microvm."""
        present = self.firmware.apic_ids[: self.config.cpus]
        self.views = CpuViews(
            self.system, self.system_region, self.clock, present, vapic=self.config.vapic
        )
        self.cpu_memory, self.apics = self.views.memory, self.views.apics
        make_objects(self.config, self.manage)
        self._build_ram()
        self._build_interrupts()
        self._build_devices(epoch_ns)
        self._build_fw_cfg()
        self.bios = map_bios(self.system, self.system_region, self.image, writable=True)
        tree.compose(self, self.tree)

    def _build_ram(self) -> None:
        self.ram = make_ram(self.config, self.system, self.tree)
        above_start = self.firmware.above_4g_start
        map_ram(self.system, self.system_region, self.ram, self.below, above_start)

    def _build_interrupts(self) -> None:
        config = self.config
        self.pic: I8259Pair | None = None
        if config.option("pic"):
            self.pic = I8259Pair()
            self.pic.intr.connect(self.apics.set_pic_intr)
            self.place(*self.pic.chips)
        bases = layout.IOAPIC_BASES[: 1 + self.has_second_ioapic]
        acknowledge = self.pic.acknowledge if self.pic is not None else None
        self.ioapics = tuple(
            IoApic(self.apics.deliver, acknowledge, address=base) for base in bases
        )
        self.place(*self.ioapics)
        self.apics.broadcast_eoi = self._end_of_interrupt
        self.pins = tuple(
            CpuInterrupts(self.pic, self.apics, cpu) for cpu in range(self.config.cpus)
        )
        self.views.connect(self)
        self.lines = global_lines(self.pic, *self.ioapics)

    @property
    def has_second_ioapic(self) -> bool:
        """Whether there is one: it needs ACPI, which alone can tell of it."""
        return self.config.acpi and self.config.option("ioapic2") != "off"

    def _end_of_interrupt(self, vector: int) -> None:
        for ioapic in self.ioapics:
            ioapic.end_of_interrupt(vector)

    def _build_devices(self, epoch_ns: int) -> None:
        config, lines = self.config, self.lines
        count, first = layout.transports(acpi=config.acpi, second_ioapic=self.has_second_ioapic)
        self.first_virtio_line = first
        self.transports = tuple(
            VirtioMmio(layout.VIRTIO_BASE + number * SIZE, lines[first + number])
            for number in range(count)
        )
        self.ged: AcpiGed | None = None
        if config.acpi:
            self.ged = AcpiGed(
                layout.GED_BASE, lines[layout.GED_LINE],
                on_power_off=lambda: self.on_power_off(),
                on_reset=lambda reason: self.on_reset_request(reason),
            )  # fmt: skip
        self.pit = I8254(self.clock, lines[0]) if config.option("pit") else None
        self.rtc: Mc146818 | None = None
        if config.option("rtc"):
            self.rtc = Mc146818(self.clock.host, lines[layout.RTC_LINE], epoch_ns=epoch_ns)
            for index, value in cmos_bytes(self.firmware).items():
                if index in _CMOS:
                    self.rtc.set_cmos(index, value)
        if config.serial and config.option("isa-serial"):
            self.serial = Serial16550(self.clock, lines[layout.SERIAL_LINE])
        self.vapic = KvmVapic() if config.vapic else None
        console = DebugConsole(self.debug_byte) if config.debugcon else None
        optional: tuple[DeviceModel[Any] | None, ...] = (
            self.ged, self.pit, self.rtc, self.serial, self.vapic, console
        )  # fmt: skip
        self.devices = (*self.transports, *(each for each in optional if each is not None))
        self.place(*self.devices)

    def _build_fw_cfg(self) -> None:
        self.fw_cfg = FwCfg(self.memory)
        fill_fw_cfg(self.fw_cfg, microvm_items(self.firmware), self.config, self.below)
        self.place(self.fw_cfg)

    # -- running ---------------------------------------------------------------------------------

    @property
    def register_blocks(self) -> Mapping[str, Saveable]:
        """All that has a state."""
        chips = self.pic.chips if self.pic is not None else ()
        return named(
            *self.ioapics, *self.apics.apics, *chips, self.fw_cfg, *self.devices,
            GlobalLines(self.lines),
        )  # fmt: skip

    def reset_devices(self) -> None:
        """Reset every device, and put the firmware back, which is in RAM here."""
        fill(self.bios, self.image)
        if self.pic is not None:
            self.pic.reset()
        for ioapic in self.ioapics:
            ioapic.reset()
        self.apics.reset()
        self.fw_cfg.reset()
        for device in self.devices:
            device.reset()

    @property
    def processors(self) -> tuple[Processor, ...]:
        """What each CPU tells of itself."""
        return processors_of(self.firmware)

    def executes(self, cpu: int) -> None:
        """Have accesses to the APICs' page be that CPU's own."""
        self.apics.current = cpu

    def press_power_button(self) -> None:
        """Tell the guest through the event device."""
        if self.ged is not None:
            self.ged.raise_event(POWER_DOWN)
