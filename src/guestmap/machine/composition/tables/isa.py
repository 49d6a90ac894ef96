"""The devices at fixed ports."""

from __future__ import annotations

from guestmap.hw.declare import (
    CHARDEV,
    ISA_DEVICE,
    SWITCH,
    declare,
    fact,
    secret,
    setting,
)
from guestmap.qom import BOOL, INT32, STR, UINT8, UINT32, enum, link

FDC_DRIVE = enum("FdcDriveType", ("144", "288", "120", "none", "auto"))
_NOWHERE = 0xFFFF_FFFF
_DRIVE = "FDC drive type, 144/288/120/none/auto"
_AML = ("acpi-dev-aml-interface",)
_OUT = fact("unnamed-gpio-out[0]", link("irq"), "")

ISA_TYPES = (
    declare(
        "i8257", ISA_DEVICE,
        setting("base", INT32, 0),
        setting("page-base", INT32, 0x80),
        setting("pageh-base", INT32, 0x480),
        setting("dshift", INT32, 0),
        interfaces=("isa-dma",),
    ),
    declare(
        "pic-common", ISA_DEVICE,
        setting("iobase", UINT32, _NOWHERE),
        setting("elcr_addr", UINT32, _NOWHERE),
        setting("elcr_mask", UINT8, 0xFF),
        setting("master", BOOL, False, SWITCH),
        abstract=True, interfaces=("intctrl",),
    ),
    declare("isa-i8259", "pic-common", once_realized=(_OUT,)),
    declare(
        "isa-pcspk", ISA_DEVICE,
        setting("audiodev", STR, description="ID of an audiodev to use as a backend"),
        setting("iobase", UINT32, 0x61),
        setting("migrate", BOOL, True),
        fact("pit", link("pit-common"), ""),
    ),
    declare(
        "isa-fdc", ISA_DEVICE,
        setting("iobase", UINT32, 0x3F0),
        setting("irq", UINT32, 6),
        setting("dma", UINT32, 2),
        setting("fdtypeA", FDC_DRIVE, "auto", _DRIVE),
        setting("fdtypeB", FDC_DRIVE, "auto", _DRIVE),
        setting("fallback", FDC_DRIVE, "288", _DRIVE),
        fact("bootindexA", INT32, -1),
        fact("bootindexB", INT32, -1),
        interfaces=_AML,
    ),
    declare(
        "i8042", ISA_DEVICE,
        setting("extended-state", BOOL, True),
        setting("kbd-throttle", BOOL, False),
        setting("kbd-irq", UINT8, 1),
        setting("mouse-irq", UINT8, 12),
        fact("a20[0]", link("irq"), ""),
        fact("unnamed-gpio-out[0]", link("irq"), ""),
        fact("unnamed-gpio-out[1]", link("irq"), ""),
        interfaces=_AML,
    ),
    declare(
        "vmport", ISA_DEVICE,
        setting("x-read-set-eax", BOOL, True, SWITCH),
        setting("x-signal-unsupported-cmd", BOOL, True, SWITCH),
        setting("x-report-vmx-type", BOOL, True, SWITCH),
        setting("x-cmds-v2", BOOL, True, SWITCH),
        setting("vmware-vmx-version", UINT32, 6),
        setting("vmware-vmx-type", UINT8, 2),
    ),
    declare("vmmouse", ISA_DEVICE, fact("i8042", link("i8042"), ""), secret("legacy-i8042", STR)),
    declare("port92", ISA_DEVICE, fact("a20[0]", link("irq"), "")),
    declare(
        "isa-debugcon", ISA_DEVICE,
        setting("iobase", UINT32, 0xE9),
        setting("chardev", STR, description=CHARDEV),
        setting("readback", UINT32, 0xE9),
    ),
)  # fmt: skip
