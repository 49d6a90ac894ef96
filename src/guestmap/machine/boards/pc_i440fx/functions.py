"""What the PC has on its PCI bus from the start: the functions of the PIIX chips, and two cards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guestmap.base import Clock, IrqLine
from guestmap.firmware.option_roms import load_rom
from guestmap.hw.acpi.pm import PowerActions
from guestmap.hw.ide.channel import IdeChannel
from guestmap.hw.ide.piix3 import Piix3Ide
from guestmap.hw.pci import PciBus
from guestmap.hw.piix3 import Piix3
from guestmap.hw.piix4_pm import Piix4Pm

if TYPE_CHECKING:
    from guestmap.firmware.acpi import AcpiConfig
    from guestmap.hw.pci import PciFunction
    from guestmap.hw.usb.uhci import Piix3Uhci
    from guestmap.hw.vga.adapter import DisplayAdapter
    from guestmap.machine.config import MachineConfig

_PIIX3, _PIIX3_IDE, _PIIX3_UHCI, _PIIX4_PM = 1 << 3, 1 << 3 | 1, 1 << 3 | 2, 1 << 3 | 3
_VGA = 2 << 3
_SCI = 9
_HUB_PORT = "hub0port0"
"""Where QEMU's default network card is plugged in: the first port of a hub."""


class ChipsetFunctions:
    """The functions, made in the order in which QEMU makes them.

    Args:
        config: which of them there are.
        bus: what they are put on.
        clock: the machine's.
        lines: the lines of the interrupt controllers, by number.
        channels: the IDE channels that the IDE function masters the bus for.
        told: what the ACPI tables tell.
        firmware_path: option ROMs are looked for beside it, where there is one.
        on_reset: resets the machine, for a reason.
        actions: what power management has done to the machine.
        on_smi: makes a CPU enter system management mode; None for a machine without.

    Attributes:
        piix3, ide: the bridge to the old devices, and the IDE function.
        vga, nic: the cards; None without.
        usb: the USB controller; None without.
        pm: power management; None without ACPI.
    """

    def __init__(
        self,
        config: MachineConfig,
        bus: PciBus,
        clock: Clock,
        lines: Sequence[IrqLine],
        channels: Sequence[IdeChannel],
        told: AcpiConfig,
        firmware_path: Path | None,
        *,
        on_reset: Callable[[str], None],
        actions: PowerActions,
        on_smi: Callable[[], None] | None,
    ) -> None:
        self.piix3 = Piix3(bus, _PIIX3, lines[:16], lambda: on_reset("port CF9h"))
        self.vga = _display_adapter(config.vga, bus, firmware_path)
        free = _VGA if self.vga is None else _VGA + (1 << 3)
        self.nic = _network_card(config.nic, bus, free, firmware_path)
        self.ide = Piix3Ide(bus, _PIIX3_IDE)
        for channel, master in zip(channels, self.ide.channels, strict=True):
            channel.master_with(master)
        self.usb = _usb_controller(bus, clock) if config.option("usb") else None
        self.pm: Piix4Pm | None = None
        if config.acpi:
            self.pm = Piix4Pm(
                bus, _PIIX4_PM, clock, lines[_SCI],
                actions=actions, raise_smi=on_smi,
                apic_ids=told.firmware.apic_ids, cpus=config.cpus,
                memory_slots=told.slots if config.memory_hotplug else 0,
                serial_ports=int(config.serial), parallel_ports=int(config.parallel),
            )  # fmt: skip


def _display_adapter(
    name: str, bus: PciBus, firmware_path: Path | None
) -> DisplayAdapter[Any] | None:
    if name == "none":
        return None
    from guestmap.hw.catalog import DISPLAY_ADAPTERS

    vga = DISPLAY_ADAPTERS[name](bus, _VGA)
    vga.add_rom(load_rom(vga.ROM_FILE, firmware_path))
    return vga


def _network_card(
    name: str, bus: PciBus, devfn: int, firmware_path: Path | None
) -> PciFunction[Any] | None:
    if name == "none":
        return None
    from guestmap.hw.catalog import NETWORK_CARDS

    nic = NETWORK_CARDS[name](bus, devfn)
    nic.settings = {"netdev": _HUB_PORT}
    nic.add_rom(load_rom(nic.ROM_FILE, firmware_path))
    return nic


def _usb_controller(bus: PciBus, clock: Clock) -> Piix3Uhci:
    from guestmap.hw.usb.uhci import Piix3Uhci

    return Piix3Uhci(bus, _PIIX3_UHCI, clock)
