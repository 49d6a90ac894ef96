"""Every device that there is: the one place that has to know of a new one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from guestmap.hw.acpi.ged import AcpiGed
from guestmap.hw.apic.ioapic import IoApic
from guestmap.hw.apic.local import LocalApic
from guestmap.hw.debugcon import DebugConsole
from guestmap.hw.declare import ISA_DEVICE, SYS_BUS_DEVICE, DeclaredType
from guestmap.hw.device import DeviceModel
from guestmap.hw.e1000.device import E1000
from guestmap.hw.fdc import Fdc, FloppyDrive
from guestmap.hw.fw_cfg import FwCfg
from guestmap.hw.hpet import Hpet
from guestmap.hw.i440fx import I440FX
from guestmap.hw.i8254 import I8254
from guestmap.hw.i8257 import I8257
from guestmap.hw.i8259 import I8259
from guestmap.hw.ide.cdrom import IdeCdrom
from guestmap.hw.ide.disk import IdeDisk
from guestmap.hw.ide.piix3 import Piix3Ide
from guestmap.hw.kvmvapic import KvmVapic
from guestmap.hw.mc146818 import Mc146818
from guestmap.hw.parallel import ParallelPort
from guestmap.hw.pci import ConfigMechanism, PciBridge, PciBus, PciFunction, PciTestDevice
from guestmap.hw.pcspk import PcSpeaker
from guestmap.hw.piix3 import Piix3
from guestmap.hw.piix4_pm import Piix4Pm
from guestmap.hw.port92 import Port92
from guestmap.hw.ps2.i8042 import I8042
from guestmap.hw.ps2.keyboard import Ps2Keyboard
from guestmap.hw.ps2.mouse import Ps2Mouse
from guestmap.hw.serial import Serial16550, Uart
from guestmap.hw.smbus.slave import Eeprom
from guestmap.hw.usb.uhci import Piix3Uhci
from guestmap.hw.vga.adapter import DisplayAdapter
from guestmap.hw.vga.cirrus.device import CirrusVga
from guestmap.hw.vga.device import StandardVga
from guestmap.hw.virtio.balloon import BalloonBackend, VirtioBalloon
from guestmap.hw.virtio_mmio import VirtioMmio
from guestmap.hw.vmware import VmMouse, VmPort

DEVICES: tuple[type[DeviceModel[Any]], ...] = (
    LocalApic, KvmVapic, FwCfg, ConfigMechanism, IoApic, I8257, I8259, Hpet, Mc146818, I8254,
    PcSpeaker, Serial16550, Uart, ParallelPort, Fdc, FloppyDrive, I8042, Ps2Keyboard, Ps2Mouse,
    VmPort, VmMouse, Port92, DebugConsole, I440FX, Piix3, Piix3Ide, Piix4Pm, Eeprom, PciBridge,
    PciTestDevice, AcpiGed, VirtioMmio, StandardVga, CirrusVga, Piix3Uhci, E1000, IdeDisk, IdeCdrom,
    VirtioBalloon, BalloonBackend,
)  # fmt: skip


PLUGGABLE_FUNCTIONS: Mapping[str, type[PciFunction[Any]]] = MappingProxyType(
    {each.TYPE.name: each for each in DEVICES if issubclass(each, PciFunction) and each.CHOICES}
)
"""PCI functions that a user may name, by their types' names."""


DISPLAY_ADAPTERS: Mapping[str, Callable[[PciBus, int], DisplayAdapter[Any]]] = MappingProxyType(
    {"std": StandardVga, "cirrus": CirrusVga}
)
"""Display adapters by what QEMU's ``-vga`` calls them."""


NETWORK_CARDS: Mapping[str, Callable[[PciBus, int], PciFunction[Any]]] = MappingProxyType(
    {each.TYPE.name: each for each in (E1000,)}
)
"""Network cards that a board may have, by their types' names."""


def declared_types() -> tuple[DeclaredType, ...]:
    """Return the types of all devices, and what they inherit from."""
    roots = (ISA_DEVICE, SYS_BUS_DEVICE)
    found = {each.name: each for each in roots}
    for device in DEVICES:
        found |= {each.name: each for each in device.TYPE.lineage}
    return tuple(found.values())
