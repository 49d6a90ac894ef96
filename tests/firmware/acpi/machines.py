"""Machines whose tables are tested, as we and as QEMU describe them."""

from __future__ import annotations

from guestmap.base import GIB, KIB, MIB
from guestmap.firmware import FirmwareConfig
from guestmap.firmware.acpi import AcpiConfig, DeviceMemoryRange, ProximityDomain

LOW = 3 * GIB


def _ram(name: str, size: str) -> list[str]:
    return ["-object", f"memory-backend-ram,id={name},size={size},reserve=off"]


PLAIN = AcpiConfig(firmware=FirmwareConfig(below_4g=128 * MIB))
PLUGGABLE = AcpiConfig(
    firmware=FirmwareConfig(below_4g=128 * MIB, cpus=2, max_cpus=4),
    device_memory=DeviceMemoryRange(start=4 * GIB, size=0xF800_0000, slots=3),
)

MACHINES: dict[str, tuple[AcpiConfig, list[str]]] = {
    "plain": (PLAIN, ["-m", "128M"]),
    "smallest": (AcpiConfig(firmware=FirmwareConfig(below_4g=MIB)), ["-m", "1M"]),
    "serial and SMM": (
        AcpiConfig(firmware=FirmwareConfig(below_4g=128 * MIB), serial=True, smm=True),
        ["-m", "128M", "-serial", "null", "-machine", "smm=on"],
    ),
    "parallel": (
        AcpiConfig(firmware=FirmwareConfig(below_4g=128 * MIB), parallel=True),
        ["-m", "128M", "-parallel", "null"],
    ),
    "nine CPUs": (
        AcpiConfig(firmware=FirmwareConfig(below_4g=128 * MIB, cpus=9)),
        ["-m", "128M", "-smp", "9"],
    ),
    "sparse APIC IDs": (
        AcpiConfig(
            firmware=FirmwareConfig(
                below_4g=128 * MIB, cpus=5, max_cpus=12, sockets=2, threads=2
            )
        ),
        ["-m", "128M", "-smp", "5,sockets=2,cores=3,threads=2,maxcpus=12"],
    ),
    "slots": (PLUGGABLE, ["-m", "128M,slots=3,maxmem=1G", "-smp", "2,maxcpus=4"]),
    "slots above 4 GiB": (
        AcpiConfig(
            firmware=FirmwareConfig(below_4g=LOW, above_4g=2 * GIB),
            device_memory=DeviceMemoryRange(start=6 * GIB, size=5 * GIB, slots=2),
        ),
        ["-m", "5G,slots=2,maxmem=8G", "-machine", "memory-backend=ram", *_ram("ram", "5G")],
    ),
    "room but no slots": (
        AcpiConfig(
            firmware=FirmwareConfig(below_4g=128 * MIB),
            device_memory=DeviceMemoryRange(start=4 * GIB, size=0xF800_0000, slots=0),
        ),
        ["-m", "128M,maxmem=4G"],
    ),
    "nodes around the VGA hole, a CPU in none": (
        AcpiConfig(
            firmware=FirmwareConfig(below_4g=128 * MIB, cpus=3),
            numa_nodes=(
                ProximityDomain(512 * KIB, frozenset({0})),
                ProximityDomain(128 * MIB - 512 * KIB, frozenset({1})),
            ),
        ),
        [
            *("-m", "128M", "-smp", "3"), *_ram("a", "512K"), *_ram("b", "130560K"),
            *("-numa", "node,memdev=a,cpus=0", "-numa", "node,memdev=b,cpus=1"),
        ],
    ),
    "a node across 4 GiB": (
        AcpiConfig(
            firmware=FirmwareConfig(below_4g=LOW, above_4g=2 * GIB, cpus=2),
            numa_nodes=(
                ProximityDomain(4 * GIB, frozenset({0})),
                ProximityDomain(GIB, frozenset({1})),
            ),
        ),
        [
            *("-m", "5G", "-smp", "2"), *_ram("a", "4G"), *_ram("b", "1G"),
            *("-numa", "node,memdev=a,cpus=0", "-numa", "node,memdev=b,cpus=1"),
        ],
    ),
    "a node without memory": (
        AcpiConfig(
            firmware=FirmwareConfig(below_4g=128 * MIB, cpus=2),
            device_memory=DeviceMemoryRange(start=4 * GIB, size=0x1_F800_0000, slots=4),
            numa_nodes=(ProximityDomain(128 * MIB, frozenset({0, 1})), ProximityDomain(0)),
        ),
        [
            *("-m", "128M,slots=4,maxmem=4G", "-smp", "2"), *_ram("a", "128M"),
            *("-numa", "node,nodeid=0,memdev=a,cpus=0-1", "-numa", "node,nodeid=1"),
        ],
    ),
}  # fmt: skip
