"""The memory hot-plug part of the DSDT: the controller, a device for each slot, the event.

QEMU, docs/specs/acpi_mem_hotplug.rst: 24 ports at A00h show one slot at a time, which the first
register selects; its event goes with bit 3 of GPE0. A slot is a memory device (ACPI specification
6.5, section 9.11) whose methods ask the controller under a lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.firmware.acpi.aml import resources
from guestmap.firmware.acpi.aml.code import (
    acquire,
    add,
    arg,
    call,
    else_,
    equal,
    if_,
    increment,
    less,
    local,
    notify,
    release,
    return_,
    store,
    subtract,
    while_,
)
from guestmap.firmware.acpi.aml.encoding import eisa_id, string
from guestmap.firmware.acpi.aml.objects import (
    Access,
    RegionSpace,
    Update,
    create_qword_field,
    device,
    field,
    method,
    mutex,
    name,
    operation_region,
    scope,
)

if TYPE_CHECKING:
    from guestmap.firmware.acpi.config import AcpiConfig

PORT, PORTS = 0xA00, 0x18

_DEVICE_CHECK, _EJECT_REQUEST = 1, 3
_PRESENT, _ABSENT = 0x0F, 0
_CONTROLLER_PRESENT = 0x0B  # not shown to the user


def memory_hotplug(config: AcpiConfig) -> bytes:
    """Return definitions for the root of the namespace; none where there are no slots."""
    slots = config.slots
    if not slots:
        return b""
    controller = device(
        "MHPC",
        name("_HID", string("PNP0A06")),
        name("_UID", string("Memory hot-plug")),
        name("_STA", _CONTROLLER_PRESENT),
        name("_CRS", resources.template(resources.io(PORT, PORTS))),
        _registers(),
        mutex("MLCK"),
        _scan(slots),
        _tell(slots),
        *_slot_methods(),
        *(_slot(number) for number in range(slots)),
    )
    event = method("_E03", call("\\_SB.MHPC.MSCN"))
    return scope("\\_SB", controller) + scope("\\_GPE", event)


def _registers() -> bytes:
    """Name the registers; the first three mean one thing when read and another when written."""
    return b"".join((
        operation_region("MREG", RegionSpace.SYSTEM_IO, PORT, PORTS),
        field(
            "MREG", Access.DWORD, Update.PRESERVE,
            [("MADR", 64), ("MLEN", 64), ("MPXM", 32)],
        ),
        # Written one by one: a 1 in any of these bits is a command of its own.
        field(
            "MREG", Access.BYTE, Update.WRITE_AS_ZEROS,
            [("MENA", 1), ("MINS", 1), ("MRMV", 1), ("MEJT", 1)],
            offset=0x14,
        ),
        field(
            "MREG", Access.DWORD, Update.PRESERVE,
            [("MSEL", 32), ("MOEV", 32), ("MOST", 32)],
        ),
    ))  # fmt: skip


def _scan(slots: int) -> bytes:
    """``MSCN``: find the slots with an event, and tell their drivers.

    The event is taken back first: one that comes again while the driver is told raises the GPE
    anew, and is not lost.
    """
    slot = local(0)
    return method(
        "MSCN",
        acquire("MLCK"),
        store(0, slot),
        while_(
            less(slot, slots),
            store(slot, "MSEL"),
            if_("MINS", store(1, "MINS"), call("MTEL", slot, _DEVICE_CHECK)),
            else_(if_("MRMV", store(1, "MRMV"), call("MTEL", slot, _EJECT_REQUEST))),
            increment(slot),
        ),
        release("MLCK"),
    )


def _tell(slots: int) -> bytes:
    """``MTEL``: tell the driver of slot Arg0 of Arg1: ``Notify`` takes no index."""
    cases = (
        if_(equal(arg(0), number), notify(_name_of(number), arg(1))) for number in range(slots)
    )
    return method("MTEL", *cases, arguments=2)


def _slot_methods() -> list[bytes]:
    """Return what the slots' methods call, with the slot's number as the first argument."""
    select = acquire("MLCK") + store(arg(0), "MSEL")
    return [
        method(
            "MSTA",
            store(_ABSENT, local(0)),
            select,
            if_("MENA", store(_PRESENT, local(0))),
            release("MLCK"),
            return_(local(0)),
            arguments=1,
        ),
        method(
            "MCRS",
            name("RANG", resources.template(resources.qword_memory(0, 0, cacheable=True))),
            create_qword_field("RANG", resources.QWORD_MIN, "RMIN"),
            create_qword_field("RANG", resources.QWORD_MAX, "RMAX"),
            create_qword_field("RANG", resources.QWORD_LENGTH, "RLEN"),
            select,
            store("MADR", "RMIN"),
            store("MLEN", "RLEN"),
            release("MLCK"),
            subtract(add("RMIN", "RLEN"), 1, "RMAX"),
            return_("RANG"),
            arguments=1,
            serialized=True,
        ),
        method(
            "MDOM",
            select,
            store("MPXM", local(0)),
            release("MLCK"),
            return_(local(0)),
            arguments=1,
        ),
        method(
            "MANS",
            select,
            store(arg(1), "MOEV"),
            store(arg(2), "MOST"),
            release("MLCK"),
            arguments=3,
        ),
        method("MOUT", select, store(1, "MEJT"), release("MLCK"), arguments=1),
    ]


def _name_of(slot: int) -> str:
    return f"MP{slot:02X}"


def _slot(number: int) -> bytes:
    """Return the device of a slot."""
    return device(
        _name_of(number),
        name("_HID", eisa_id("PNP0C80")),
        name("_UID", number),
        method("_STA", return_(call("MSTA", number))),
        method("_CRS", return_(call("MCRS", number)), serialized=True),
        method("_PXM", return_(call("MDOM", number))),
        method("_OST", call("MANS", number, arg(0), arg(1)), arguments=3),
        method("_EJ0", call("MOUT", number), arguments=1),
    )
