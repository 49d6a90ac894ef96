"""The tables that are data: everything but the DSDT.

Layouts after the ACPI specification (chapter 5.2; the FADT as ACPI 1.0b has it), the IA-PC HPET
specification 1.0a and Microsoft's WAET paper; which there are, their revisions and contents, as
QEMU 7.2 makes them for pc-i440fx-7.2. Checksums are left 0: the table loader completes them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from guestmap.base import KIB, MIB

if TYPE_CHECKING:
    from guestmap.firmware.acpi.config import AcpiConfig

HEADER = struct.Struct("<4sIBB6s8sI4sI")
CHECKSUM_OFFSET = 9
FADT_FACS, FADT_DSDT = 36, 40
"""Where the FADT keeps the addresses of the FACS and the DSDT, 4 bytes each."""
RSDP_SIZE, RSDP_CHECKSUM, RSDP_RSDT = 20, 8, 16

SCI_LINE = 9
GPE0_PORT, GPE0_BYTES = 0xAFE0, 4
_SMI_PORT, _ENABLE_ACPI, _DISABLE_ACPI = 0xB2, 0xF1, 0xF0
_CMOS_CENTURY = 0x32
_NO_C2_OR_C3 = 0x0FFF
_LOCAL_APIC, _IO_APIC, _HPET = 0xFEE0_0000, 0xFEC0_0000, 0xFED0_0000
_LEVEL_HIGH = 0x000D
_ENABLED, _HOT_PLUGGABLE = 1, 2
_LOW_MEMORY_END = 640 * KIB

_WBINVD, _PROC_C1, _SLEEP_BUTTON_IS_DEVICE = 1 << 0, 1 << 2, 1 << 5
_RTC_WAKES_S4, _USE_PLATFORM_CLOCK, _FORCE_CLUSTER = 1 << 7, 1 << 15, 1 << 18
_FLAT_MODEL_CPUS = 8


def table(signature: str, revision: int, body: bytes) -> bytes:
    """Return ``body`` behind the header that all tables but the FACS have, checksum 0."""
    length = HEADER.size + len(body)
    return HEADER.pack(
        signature.encode(), length, revision, 0, b"GSTMAP", b"GUESTMAP", 1, b"GMAP", 1
    ) + body  # fmt: skip


def rsdp(rsdt: int = 0) -> bytes:
    """Root System Description Pointer, revision 0 (ACPI 1.0)."""
    return struct.pack("<8sB6sBI", b"RSD PTR ", 0, b"GSTMAP", 0, rsdt)


def rsdt(addresses: list[int]) -> bytes:
    """Root System Description Table."""
    return table("RSDT", 1, struct.pack(f"<{len(addresses)}I", *addresses))


def facs() -> bytes:
    """Firmware ACPI Control Structure: 64 bytes for the operating system to write to."""
    return struct.pack("<4sI", b"FACS", 64).ljust(64, b"\0")


def fadt(config: AcpiConfig, *, facs: int = 0, dsdt: int = 0) -> bytes:
    """Fixed ACPI Description Table, revision 1."""
    flags = _WBINVD | _PROC_C1 | _SLEEP_BUTTON_IS_DEVICE | _RTC_WAKES_S4 | _USE_PLATFORM_CLOCK
    if config.firmware.total_cpus > _FLAT_MODEL_CPUS:
        flags |= _FORCE_CLUSTER
    smi = (_SMI_PORT, _ENABLE_ACPI, _DISABLE_ACPI) if config.smm else (0, 0, 0)
    pm = config.pm_base
    apic_model = 1
    body = struct.pack(
        "<IIBBHIBBBB8I8B4H5BHBI",
        facs, dsdt, apic_model, 0, SCI_LINE, *smi, 0, 0,
        pm, 0, pm + 4, 0, 0, pm + 8, GPE0_PORT, 0,
        4, 2, 0, 4, GPE0_BYTES, 0, 0, 0,
        _NO_C2_OR_C3, _NO_C2_OR_C3, 0, 0,
        0, 0, 0, 0, _CMOS_CENTURY, 0, 0, flags,
    )  # fmt: skip
    return table("FACP", 1, body)


def madt(config: AcpiConfig) -> bytes:
    """Multiple APIC Description Table: local APICs, the I/O APIC, who is wired otherwise."""
    firmware = config.firmware
    pc_compatible = 1
    parts = [struct.pack("<II", _LOCAL_APIC, pc_compatible)]
    for number, apic_id in enumerate(firmware.apic_ids):
        parts.append(struct.pack("<BBBBI", 0, 8, number, apic_id, number < firmware.cpus))
    parts.append(struct.pack("<BBBBII", 1, 12, 0, 0, _IO_APIC, 0))
    # The PIT is on input 2; the lines that PIRQ links and the SCI may use are level-triggered.
    overrides = ((0, 2, 0), *((line, line, _LEVEL_HIGH) for line in (5, SCI_LINE, 10, 11)))
    for source, gsi, flags in overrides:
        parts.append(struct.pack("<BBBBIH", 2, 10, 0, source, gsi, flags))
    all_cpus, lint1 = 0xFF, 1
    parts.append(struct.pack("<BBBHB", 4, 6, all_cpus, 0, lint1))
    return table("APIC", 1, b"".join(parts))


def hpet() -> bytes:
    """HPET table: one block, ID as its capability register's low half."""
    return table("HPET", 1, struct.pack("<IBBBBQBHB", 0x8086A201, 0, 0, 0, 0, _HPET, 0, 0, 0))


def waet() -> bytes:
    """Windows ACPI Emulated devices Table: one read of the PM timer is reliable."""
    return table("WAET", 1, struct.pack("<I", 1 << 1))


def srat(config: AcpiConfig) -> bytes:
    """System Resource Affinity Table: which CPUs and memory belong together.

    Memory that may be plugged in is one range, of the last domain: drivers learn the true domain
    of a DIMM from its device.
    """
    nodes = config.nodes
    parts = [struct.pack("<I8x", 1)]
    for number, apic_id in enumerate(config.firmware.apic_ids):
        home = next((n for n, node in enumerate(nodes) if number in node.cpus), 0)
        low, high = home & 0xFF, (home >> 8).to_bytes(3, "little")
        parts.append(struct.pack("<BBBBIB3sI", 0, 16, low, apic_id, _ENABLED, 0, high, 0))
    ranges = [_memory_affinity(*piece, _ENABLED) for piece in _node_ranges(config)]
    # As many entries as the RAM could need, so that firmware sees the same size on each boot.
    ranges += [_memory_affinity(0, 0, 0, 0)] * (len(nodes) + 2 - len(ranges))
    plug = config.device_memory
    if plug is not None:
        last = len(nodes) - 1
        ranges.append(_memory_affinity(last, plug.start, plug.size, _ENABLED | _HOT_PLUGGABLE))
    return table("SRAT", 1, b"".join(parts + ranges))


def _memory_affinity(node: int, start: int, size: int, flags: int) -> bytes:
    return struct.pack("<BBIHQQIIQ", 1, 40, node, 0, start, size, 0, flags, 0)


def _node_ranges(config: AcpiConfig) -> Iterator[tuple[int, int, int]]:
    """Yield (node, address, bytes): each node's share of RAM, without the hole below 1 MiB."""
    firmware = config.firmware
    below, above_shift = firmware.below_4g, firmware.above_4g_start - firmware.below_4g
    # In RAM counted as one piece: first byte, end, and how far its address is from there.
    windows = (
        (0, min(_LOW_MEMORY_END, below), 0),
        (MIB, below, 0),
        (below, firmware.ram_size, above_shift),
    )
    first = 0
    for number, node in enumerate(config.nodes):
        last = first + node.memory
        for start, end, shift in windows:
            low, high = max(first, start), min(last, end)
            if low < high:
                yield number, low + shift, high - low
        first = last
