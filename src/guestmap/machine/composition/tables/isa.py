"""The devices at fixed ports."""

from __future__ import annotations

from guestmap.machine.composition.kinds import (
    CHARDEV,
    FDC_DRIVE,
    LOST_TICKS,
    SWITCH,
    fact,
    kind,
    secret,
    setting,
)
from guestmap.qom import BOOL, INT32, STR, UINT8, UINT16, UINT32, link, opaque

_NOWHERE = 0xFFFF_FFFF
_DRIVE = "FDC drive type, 144/288/120/none/auto"
_AML = ("acpi-dev-aml-interface",)
_OUT = fact("unnamed-gpio-out[0]", link("irq"), "")
_UART = (
    fact("wakeup", BOOL, False, default=False),
    fact("chardev", STR, "", CHARDEV),
    fact("baudbase", UINT32, 115200, default=115200),
)

ISA_TYPES = (
    kind("isa-device", "device", abstract=True),
    kind(
        "i8257", "isa-device",
        setting("base", INT32, 0),
        setting("page-base", INT32, 0x80),
        setting("pageh-base", INT32, 0x480),
        setting("dshift", INT32, 0),
        interfaces=("isa-dma",),
    ),
    kind(
        "pic-common", "isa-device",
        setting("iobase", UINT32, _NOWHERE),
        setting("elcr_addr", UINT32, _NOWHERE),
        setting("elcr_mask", UINT8, 0xFF),
        setting("master", BOOL, False, SWITCH),
        abstract=True, interfaces=("intctrl",),
    ),
    kind("isa-i8259", "pic-common", once_realized=(_OUT,)),
    kind(
        "mc146818rtc", "isa-device",
        setting("base_year", INT32, 1980),
        setting("iobase", UINT16, 0x70),
        setting("irq", UINT8, 8),
        setting("lost_tick_policy", LOST_TICKS, "discard"),
        interfaces=_AML,
        once_realized=(_OUT, fact("date", opaque("struct tm"))),
    ),
    kind("pit-common", "isa-device", abstract=True),
    kind("isa-pit", "pit-common", setting("iobase", UINT32, _NOWHERE), once_realized=(_OUT,)),
    kind(
        "isa-pcspk", "isa-device",
        setting("audiodev", STR, description="ID of an audiodev to use as a backend"),
        setting("iobase", UINT32, 0x61),
        setting("migrate", BOOL, True),
        fact("pit", link("pit-common"), ""),
    ),
    kind(
        "isa-serial", "isa-device",
        setting("index", UINT32, _NOWHERE),
        setting("iobase", UINT32, _NOWHERE),
        setting("irq", UINT32, _NOWHERE),
        *_UART,
        interfaces=_AML,
    ),
    kind("serial", "device", *_UART),
    kind(
        "isa-fdc", "isa-device",
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
    kind(
        "i8042", "isa-device",
        setting("extended-state", BOOL, True),
        setting("kbd-throttle", BOOL, False),
        setting("kbd-irq", UINT8, 1),
        setting("mouse-irq", UINT8, 12),
        fact("a20[0]", link("irq"), ""),
        fact("unnamed-gpio-out[0]", link("irq"), ""),
        fact("unnamed-gpio-out[1]", link("irq"), ""),
        interfaces=_AML,
    ),
    kind(
        "vmport", "isa-device",
        setting("x-read-set-eax", BOOL, True, SWITCH),
        setting("x-signal-unsupported-cmd", BOOL, True, SWITCH),
        setting("x-report-vmx-type", BOOL, True, SWITCH),
        setting("x-cmds-v2", BOOL, True, SWITCH),
        setting("vmware-vmx-version", UINT32, 6),
        setting("vmware-vmx-type", UINT8, 2),
    ),
    kind("vmmouse", "isa-device", fact("i8042", link("i8042"), ""), secret("legacy-i8042", STR)),
    kind("port92", "isa-device", fact("a20[0]", link("irq"), "")),
    kind(
        "isa-debugcon", "isa-device",
        setting("iobase", UINT32, 0xE9),
        setting("chardev", STR, description=CHARDEV),
        setting("readback", UINT32, 0xE9),
    ),
)  # fmt: skip
