"""The DSDT: the definition block that tells an operating system what the board has.

It has revision 2, so integers in its code have 64 bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.firmware.acpi.aml import resources
from guestmap.firmware.acpi.aml.encoding import eisa_id, string
from guestmap.firmware.acpi.aml.objects import device, name, package, scope
from guestmap.firmware.acpi.dsdt_isa import isa_bridge
from guestmap.firmware.acpi.dsdt_memory import memory_hotplug
from guestmap.firmware.acpi.dsdt_pci import interrupt_links, pci_host
from guestmap.firmware.acpi.dsdt_pci_hotplug import PORT as PCI_HOTPLUG_PORT
from guestmap.firmware.acpi.dsdt_pci_hotplug import PORTS as PCI_HOTPLUG_PORTS
from guestmap.firmware.acpi.dsdt_pci_hotplug import pci_hotplug
from guestmap.firmware.acpi.tables import GPE0_BYTES, GPE0_PORT, table

if TYPE_CHECKING:
    from guestmap.firmware.acpi.config import AcpiConfig

_REVISION = 2

SLEEP_TYPES = {3: 1, 4: 2, 5: 0}
"""The value that PIIX4's SLP_TYP field takes for each sleep state: S3, S4, S5."""

_CPU_HOTPLUG_PORT, _CPU_HOTPLUG_BYTES = 0xAF00, 0x0C
_FW_CFG_PORT, _FW_CFG_BYTES = 0x510, 0x0C
_HPET, _HPET_BYTES = 0xFED0_0000, 0x400


def dsdt(config: AcpiConfig) -> bytes:
    """Return the Differentiated System Description Table, checksum 0."""
    return table(
        "DSDT",
        _REVISION,
        b"".join(
            (
                scope(
                    "\\_SB",
                    pci_host(config, isa_bridge(config), _registers(), _fw_cfg()),
                    interrupt_links(),
                    *([_hpet()] if config.hpet else []),
                    *_processors(config),
                ),
                pci_hotplug(),
                memory_hotplug(config),
                *_sleep_states(),
            )
        ),
    )


def _sleep_states() -> list[bytes]:
    r"""Name what to write to PM1a and PM1b control for each state: ``\_S3`` and so on."""
    return [name(f"\\_S{n}", package(kind, kind, 0, 0)) for n, kind in SLEEP_TYPES.items()]


def _processors(config: AcpiConfig) -> list[bytes]:
    """Describe the CPUs that are there; ``_UID`` is the processor ID of the MADT."""
    return [
        device(f"C{number:03X}", name("_HID", string("ACPI0007")), name("_UID", number))
        for number in range(config.firmware.cpus)
    ]


def _hpet() -> bytes:
    return device(
        "HPET",
        name("_HID", eisa_id("PNP0103")),
        name("_UID", 0),
        name("_CRS", resources.template(resources.memory32_fixed(_HPET, _HPET_BYTES))),
    )


def _registers() -> bytes:
    """Reserve the ports that belong to no device an operating system has a driver for."""
    ports = (
        (GPE0_PORT, GPE0_BYTES),
        (PCI_HOTPLUG_PORT, PCI_HOTPLUG_PORTS),
        (_CPU_HOTPLUG_PORT, _CPU_HOTPLUG_BYTES),
    )
    return device(
        "REGS",
        name("_HID", eisa_id("PNP0C02")),
        name("_UID", 0),
        name("_CRS", resources.template(*(resources.io(*each) for each in ports))),
    )


def _fw_cfg() -> bytes:
    """Describe fw_cfg, by the ID that QEMU's docs/specs/fw_cfg.rst gives it."""
    return device(
        "FWCF",
        name("_HID", string("QEMU0002")),
        name("_STA", 0x0B),
        name("_CRS", resources.template(resources.io(_FW_CFG_PORT, _FW_CFG_BYTES))),
    )
