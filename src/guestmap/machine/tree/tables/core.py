"""What is no device: memory regions, interrupt lines, character devices, and the buses' classes."""

from __future__ import annotations

from guestmap.hw.declare import declare, fact
from guestmap.qom import BOOL, UINT32, UINT64, link, opaque

CORE_TYPES = (
    declare(
        "memory-region", "object",
        fact("container", link("memory-region"), ""),
        fact("addr", UINT64, 0),
        fact("size", UINT64, 0),
        fact("priority", UINT32, 0),
    ),
    declare("irq", "object"),
    declare("chardev", "object", abstract=True),
    declare("chardev-null", "chardev"),
    declare("chardev-fd", "chardev", abstract=True),
    declare("chardev-file", "chardev-fd"),
    declare("chardev-stdio", "chardev-fd"),
    declare(
        "chardev-socket", "chardev",
        fact("connected", BOOL, False),
        fact("addr", opaque("SocketAddress")),
    ),
    declare("System", "bus"),
    declare("PCI", "bus"),
    declare("ISA", "bus"),
    declare("virtio-bus", "bus", abstract=True),
    declare("virtio-mmio-bus", "virtio-bus"),
    declare("virtio-pci-bus", "virtio-bus"),
    declare("IDE", "bus"),
    declare("i2c-bus", "bus"),
    declare("floppy-bus", "bus"),
    declare("usb-bus", "bus", interfaces=("hotplug-handler",)),
)  # fmt: skip
