"""The PCI part of the DSDT: the host bridge, what it passes on, and where interrupts go.

Each slot's four pins are spread over PIIX3's four PIRQ wires, and a register of PIIX3 routes each
wire to a line of the interrupt controller (Intel 82371SB data sheet 290550, section 2.2.8): an
interrupt link device for each register lets the operating system choose. ``_PRT`` and links:
ACPI specification 6.5, sections 6.2.13 and 6.2.12 to 6.2.16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.firmware.acpi.aml import resources
from guestmap.firmware.acpi.aml.code import arg as argument
from guestmap.firmware.acpi.aml.code import bit_and, if_, less, return_, store
from guestmap.firmware.acpi.aml.encoding import eisa_id
from guestmap.firmware.acpi.aml.objects import (
    Access,
    RegionSpace,
    Update,
    create_dword_field,
    device,
    field,
    method,
    name,
    operation_region,
    package,
)
from guestmap.firmware.acpi.tables import SCI_LINE

if TYPE_CHECKING:
    from guestmap.firmware.acpi.config import AcpiConfig

_SLOTS, _PINS = 32, 4
_BUSES = 256
_CONFIG_PORT, _CONFIG_PORTS = 0xCF8, 8
_VGA_MEMORY = (0xA0000, 0xBFFFF)
_IO_APIC = 0xFEC0_0000
_LINKS = ("LNKA", "LNKB", "LNKC", "LNKD")
_SCI_LINK = "LNKS"
_POWER_MANAGEMENT_SLOT = 1
_LINES = (5, 10, 11)
_UNROUTED = 0x80
_ENABLED, _DISABLED = 0x0B, 0x09
_TEMPLATE_INTERRUPT = 5  # where a template that begins with Interrupt has its first line

PIRQ_REGION = "PIRQ"
_PIRQ_FIELDS = ("PRQA", "PRQB", "PRQC", "PRQD")


def pci_host(config: AcpiConfig, *devices: bytes) -> bytes:
    """Return the host bridge, with the devices that are on its bus."""
    return device(
        "PCI0",
        name("_HID", eisa_id("PNP0A03")),
        name("_UID", 0),
        name("_CRS", _windows(config)),
        name("_PRT", _routes()),
        *devices,
    )


def _windows(config: AcpiConfig) -> bytes:
    """List buses, ports and addresses: all that neither RAM nor the board itself has."""
    hole64_start, hole64_end = config.pci_hole64
    return resources.template(
        resources.word_bus_number(0, _BUSES - 1),
        resources.io(_CONFIG_PORT, _CONFIG_PORTS),
        resources.word_io(0, _CONFIG_PORT - 1),
        resources.word_io(_CONFIG_PORT + _CONFIG_PORTS, 0xFFFF),
        resources.dword_memory(*_VGA_MEMORY, cacheable=True),
        resources.dword_memory(config.firmware.below_4g, _IO_APIC - 1),
        resources.qword_memory(hole64_start, hole64_end - 1, cacheable=True),
    )


def _routes() -> bytes:
    """Map slot and pin to a link; the power management function's pin is the SCI's."""
    entries = []
    for slot in range(_SLOTS):
        any_function = slot << 16 | 0xFFFF
        for pin in range(_PINS):
            link = _LINKS[(slot - 1 + pin) % len(_LINKS)]
            if (slot, pin) == (_POWER_MANAGEMENT_SLOT, 0):
                link = _SCI_LINK
            entries.append(package(any_function, pin, link, 0))
    return package(*entries)


def pirq_region() -> bytes:
    """Return the routing registers, for the scope of PIIX3, in whose configuration they are."""
    return operation_region(PIRQ_REGION, RegionSpace.PCI_CONFIG, 0x60, len(_LINKS)) + field(
        PIRQ_REGION, Access.BYTE, Update.PRESERVE, [(each, 8) for each in _PIRQ_FIELDS]
    )


def interrupt_links() -> bytes:
    r"""Return the link devices, for ``\_SB``."""
    links = zip(_LINKS, _PIRQ_FIELDS, strict=True)
    switched = [_link(*names, number) for number, names in enumerate(links)]
    fixed = resources.template(resources.interrupt(SCI_LINE))
    return b"".join(switched) + device(
        _SCI_LINK,
        name("_HID", eisa_id("PNP0C0F")),
        name("_UID", len(_LINKS)),
        name("_STA", _ENABLED),
        name("_PRS", fixed),
        name("_CRS", fixed),
        method("_SRS", arguments=1),
        method("_DIS"),
    )


def _link(link: str, route_field: str, number: int) -> bytes:
    route = f"\\_SB.PCI0.ISA.{route_field}"
    return device(
        link,
        name("_HID", eisa_id("PNP0C0F")),
        name("_UID", number),
        name("_PRS", resources.template(resources.interrupt(*_LINES))),
        method(
            "_STA",
            if_(bit_and(route, _UNROUTED), return_(_DISABLED)),
            return_(_ENABLED),
        ),
        method("_DIS", store(_UNROUTED, route)),
        method(
            "_CRS",
            name("NOW", resources.template(resources.interrupt(0))),
            create_dword_field("NOW", _TEMPLATE_INTERRUPT, "LINE"),
            if_(less(route, _UNROUTED), store(route, "LINE")),
            return_("NOW"),
            serialized=True,
        ),
        method(
            "_SRS",
            create_dword_field(argument(0), _TEMPLATE_INTERRUPT, "LINE"),
            store("LINE", route),
            arguments=1,
            serialized=True,
        ),
    )
