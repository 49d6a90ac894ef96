"""The ISA part of the DSDT: PIIX3 and the devices behind it, at the places they have in any PC."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from guestmap.firmware.acpi.aml.encoding import eisa_id
from guestmap.firmware.acpi.aml.objects import buffer, device, name
from guestmap.firmware.acpi.aml.resources import dma, io, irq, template
from guestmap.firmware.acpi.dsdt_pci import pirq_region

if TYPE_CHECKING:
    from guestmap.firmware.acpi.config import AcpiConfig

_PIIX3_ADDRESS = 1 << 16  # device 1, function 0
_PRESENT = 0x0F
_TAPE_NEVER = 2


def isa_bridge(config: AcpiConfig) -> bytes:
    """Return PIIX3 with its interrupt routing registers and its ISA devices."""
    devices = [
        _device("KBD", "PNP0303", io(0x60, 1), io(0x64, 1), irq(1)),
        _device("MOU", "PNP0F13", irq(12)),
        _device("RTC", "PNP0B00", io(0x70, 8), irq(8)),
        _floppy_controller(),
    ]
    if config.serial:
        devices.append(_device("COM1", "PNP0501", io(0x3F8, 8), irq(4)))
    if config.parallel:
        devices.append(_device("LPT1", "PNP0400", io(0x378, 8), irq(7)))
    return device("ISA", name("_ADR", _PIIX3_ADDRESS), pirq_region(), *devices)


def _device(path: str, hardware_id: str, *resources: bytes) -> bytes:
    return device(
        path,
        name("_HID", eisa_id(hardware_id)),
        name("_UID", 1),
        name("_STA", _PRESENT),
        name("_CRS", template(*resources)),
    )


def _floppy_controller() -> bytes:
    """Return the controller; ``_FDE`` tells that it has none of four drives, and no tape."""
    return device(
        "FDC0",
        name("_HID", eisa_id("PNP0700")),
        name("_CRS", template(io(0x3F2, 4), io(0x3F7, 1), irq(6), dma(2))),
        name("_FDE", buffer(struct.pack("<5I", 0, 0, 0, 0, _TAPE_NEVER))),
    )
