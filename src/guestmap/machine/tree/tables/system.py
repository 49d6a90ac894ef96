"""CPUs and their interrupt controllers, and what hangs on the system bus."""

from __future__ import annotations

from guestmap.hw.declare import SYS_BUS_DEVICE, declare, fact, secret
from guestmap.qom import (
    BOOL,
    INT,
    INT32,
    STR,
    STRING,
    UINT32,
    link,
    opaque,
)

_CPU_FAMILY, _CPU_MODEL, _CPU_STEPPING = 15, 107, 1
_CPU_NAME = "QEMU Virtual CPU version 2.5+"

SYSTEM_TYPES = (
    declare("isabus-bridge", SYS_BUS_DEVICE),
    declare(
        "cpu", "device",
        fact("memory", link("memory-region"), ""),
        fact("start-powered-off", BOOL, False),
        secret("legacy-memory", STR),
        abstract=True,
    ),
    declare(
        "x86_64-cpu", "cpu",
        fact("family", INT, _CPU_FAMILY),
        fact("model", INT, _CPU_MODEL),
        fact("stepping", INT, _CPU_STEPPING),
        fact("vendor", STRING, "AuthenticAMD"),
        fact("model-id", STRING, _CPU_NAME),
        fact("unavailable-features", opaque("strList"), []),
        fact("phys-bits", UINT32, 40, default=0),
        fact("node-id", INT32, 0, default=-1),
        fact("socket-id", INT32, 0, default=-1),
        fact("die-id", INT32, 0, default=-1),
        fact("core-id", INT32, 0, default=-1),
        fact("thread-id", INT32, 0, default=-1),
        fact("apic-id", UINT32, 0, default=0xFFFF_FFFF),
        abstract=True,
    ),
    declare("qemu64-x86_64-cpu", "x86_64-cpu"),
)  # fmt: skip
