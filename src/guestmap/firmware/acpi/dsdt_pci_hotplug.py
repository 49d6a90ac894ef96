"""The PCI hot-plug part of the DSDT: a device for each slot of the root bus, and the event.

QEMU, docs/specs/acpi_pci_hotplug.rst: 24 ports at AE00h tell which slots of the bus that BNUM
selects have got functions, and which are to lose them; a slot's bit in another register ejects it.
The event goes with bit 1 of GPE0. ``_EJ0`` and ``_SUN``: ACPI specification 6.5, sections 6.3.3 and
6.1.11. Buses behind bridges have the bridges' own controllers.
"""

from __future__ import annotations

from guestmap.firmware.acpi.aml.code import (
    acquire,
    arg,
    bit_and,
    call,
    if_,
    local,
    notify,
    release,
    store,
)
from guestmap.firmware.acpi.aml.objects import (
    Access,
    RegionSpace,
    Update,
    device,
    field,
    method,
    mutex,
    name,
    operation_region,
    scope,
)

PORT, PORTS = 0xAE00, 0x18

_HOST = "\\_SB.PCI0"
_ROOT_BUS = 0
_SLOTS = range(2, 32)
"""Slots 0 and 1 are the chipset's own."""
_DEVICE_CHECK, _EJECT_REQUEST = 1, 3


def pci_hotplug() -> bytes:
    """Return definitions for the root of the namespace."""
    event = method("_E01", call(f"{_HOST}.PCNT"))
    slots = (_slot(number) for number in _SLOTS)
    return scope(_HOST, _registers(), mutex("PLCK"), _count(), _eject(), *slots) + scope(
        "\\_GPE", event
    )


def _registers() -> bytes:
    """Name the registers: reading PCIU takes its bits back, writing EJEC ejects."""
    fields = [("PCIU", 32), ("PCID", 32), ("EJEC", 32), ("PRMV", 32), ("BNUM", 32)]
    return operation_region("PREG", RegionSpace.SYSTEM_IO, PORT, PORTS) + field(
        "PREG", Access.DWORD, Update.WRITE_AS_ZEROS, fields
    )


def _count() -> bytes:
    """``PCNT``: tell the drivers of the slots that have news."""
    came, leaves = local(0), local(1)
    told = []
    for slot in _SLOTS:
        told += [
            if_(bit_and(came, 1 << slot), notify(_name(slot), _DEVICE_CHECK)),
            if_(bit_and(leaves, 1 << slot), notify(_name(slot), _EJECT_REQUEST)),
        ]
    return method(
        "PCNT",
        acquire("PLCK"),
        store(_ROOT_BUS, "BNUM"),
        store("PCIU", came),
        store("PCID", leaves),
        release("PLCK"),
        *told,
    )


def _eject() -> bytes:
    """``PCEJ``: let the slots go whose bits are given."""
    return method(
        "PCEJ",
        acquire("PLCK"),
        store(_ROOT_BUS, "BNUM"),
        store(arg(0), "EJEC"),
        release("PLCK"),
        arguments=1,
    )


def _slot(number: int) -> bytes:
    return device(
        _name(number),
        name("_ADR", number << 16),
        name("_SUN", number),
        method("_EJ0", call("PCEJ", 1 << number), arguments=1),
    )


def _name(slot: int) -> str:
    return f"S{slot:02X}_"
