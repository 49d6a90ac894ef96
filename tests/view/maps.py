"""Maps to draw."""

from __future__ import annotations

from guestmap.inspect import Snapshot
from tests.inspect.snapshots import Builder

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


def pc(*, shadowed: bool = True, source: str = "a small PC") -> Snapshot:
    """Return RAM, PCI and a shadowed ROM behind it, a device, ports, and a bus that is off."""
    tree = Builder()
    ram = tree.region("pc.ram", 0, 64 * MIB, type="ram")
    system = tree.container("system", 0, 1 << 64)
    tree.alias("ram-below-4g", 0, 64 * MIB, ram, into=system)
    pci = tree.container("pci", 0, 1 << 64, into=system, priority=-1)
    tree.region("pc.rom", 0xC0000, 128 * KIB, into=pci, type="rom", readonly=True)
    tree.alias("pam-ram", 0xC0000, 16 * KIB, ram, 0xC0000, into=system, priority=1,
               enabled=shadowed)  # fmt: skip
    tree.alias("pam-pci", 0xC0000, 16 * KIB, pci, 0xC0000, into=system, priority=1,
               enabled=not shadowed)  # fmt: skip
    tree.region("hpet", 0xFED00000, 1 * KIB, into=system)
    io = tree.region("io", 0, 64 * KIB)
    tree.region("pit", 0x40, 4, into=io)
    bus = tree.container("bus master container", 0, 1 << 64)
    for name, root in (("I/O", io), ("memory", system), ("cpu-memory-0", system), ("nic", bus)):
        tree.space(name, root)
    return tree.snapshot(source=source, version="7.2.22")


def many(count: int = 1000) -> Snapshot:
    """Return many small devices, a part of every third hidden by another."""
    tree = Builder()
    system = tree.container("system", 0, 1 << 64)
    for number in range(count):
        tree.region(f"bar{number}", 0xE000_0000 + number * 0x4000, 0x1000, into=system)
        if number % 3 == 0:
            tree.region(f"over{number}", 0xE000_0000 + number * 0x4000, 0x800, into=system,
                        priority=1)  # fmt: skip
    tree.space("memory", system)
    return tree.snapshot(source=f"{count} devices")
