"""What is no device: memory regions, interrupt lines, character devices, and the buses' classes."""

from __future__ import annotations

from guestmap.machine.composition.kinds import fact, kind
from guestmap.qom import BOOL, UINT32, UINT64, link, opaque

CORE_TYPES = (
    kind(
        "memory-region", "object",
        fact("container", link("memory-region"), ""),
        fact("addr", UINT64, 0),
        fact("size", UINT64, 0),
        fact("priority", UINT32, 0),
    ),
    kind("irq", "object"),
    kind("chardev", "object", abstract=True),
    kind("chardev-null", "chardev"),
    kind("chardev-fd", "chardev", abstract=True),
    kind("chardev-file", "chardev-fd"),
    kind("chardev-stdio", "chardev-fd"),
    kind(
        "chardev-socket", "chardev",
        fact("connected", BOOL, False),
        fact("addr", opaque("SocketAddress")),
    ),
    kind("System", "bus"),
    kind("PCI", "bus"),
    kind("ISA", "bus"),
    kind("IDE", "bus"),
    kind("i2c-bus", "bus"),
    kind("floppy-bus", "bus"),
)  # fmt: skip
