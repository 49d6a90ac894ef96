"""Which machine types take memory while they run, how they announce it, and what they need for it.

What a machine can be asked (``acpi-device``, ``query-acpi-ospm-status``, ``acpi``) is asked; the
rest stands in one table. Sources: QEMU's documentation of the machine types (docs/system/target-*)
and of memory hot-plug (docs/memory-hotplug.txt, docs/specs/acpi_mem_hotplug.rst,
docs/specs/ppc-spapr-hotplug.rst); each row was tried on QEMU 7.2 (x86) and 11.1. What a Linux guest
takes at once: SECTION_SIZE_BITS of each architecture's sparsemem.h, and for pseries the 256 MiB of
a logical memory block (LoPAPR).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from guestmap.base import GIB, MIB
from guestmap.inspect.map.report import Report

DIMM = "dimm"
VIRTIO_MEM = "virtio-mem"


class Announcement(StrEnum):
    """How a machine tells its guest of a DIMM."""

    ACPI = "ACPI"
    RTAS = "RTAS"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MachineRule(Report):
    """What is so of a machine type.

    Attributes:
        announces: how a guest hears of a DIMM; NONE: the machine takes no DIMM at all.
        takes: kinds of memory devices that can be plugged into it.
        why_not: why it takes no DIMM, or what is missing where ACPI does not answer.
        remedy: what to do then; names machine types of the same architecture.
        remedy_off: the same where the machine was started with acpi=off.
        unit: bytes that a DIMM's size must be a multiple of, beside its backend's alignment.
        pads_slots: the device memory has 1 GiB more for each slot.
        virtio_driver: the type of a virtio-mem device there.
    """

    announces: Announcement
    takes: frozenset[str]
    why_not: str
    remedy: str
    remedy_off: str = ""
    unit: int = 1
    pads_slots: bool = True
    virtio_driver: str = "virtio-mem-pci"


_BOTH = frozenset({DIMM, VIRTIO_MEM})
_NOTHING: frozenset[str] = frozenset()

_PC = MachineRule(
    Announcement.ACPI,
    _BOTH,
    "has no ACPI memory hot-plug, by which a PC announces memory",
    "start it without memory-hotplug-support=off, or as a newer machine type",
    "start it without acpi=off",
)
_NO_PC = MachineRule(
    Announcement.NONE,
    _NOTHING,
    "has no memory hot-plug at all",
    "start it as a pc or q35 machine (-M q35) with slots and maxmem",
)
_ARM = MachineRule(
    Announcement.ACPI,
    _BOTH,
    "has no ACPI event device (acpi-ged): it makes one only with ACPI on and with UEFI firmware",
    "start it with UEFI firmware (-bios or pflash, for example edk2's QEMU_EFI.fd)",
    "start it without acpi=off, and with UEFI firmware (-bios or pflash)",
)
_NO_ARM = MachineRule(
    Announcement.NONE,
    _NOTHING,
    "has no memory hot-plug at all",
    "start it as qemu-system-aarch64 -M virt with UEFI firmware, slots and maxmem",
)
_PSERIES = MachineRule(
    Announcement.RTAS, frozenset({DIMM}), "", "", unit=256 * MIB, pads_slots=False
)
_NO_PPC = MachineRule(
    Announcement.NONE,
    _NOTHING,
    "has no memory hot-plug at all",
    "start it as a pseries machine (-M pseries) with slots and maxmem",
)
_LOONGARCH = MachineRule(
    Announcement.ACPI,
    frozenset({DIMM}),
    "has no ACPI memory hot-plug, by which it announces memory",
    "start it with slots and maxmem",
    "start it without acpi=off",
    pads_slots=False,
)
_S390X = MachineRule(
    Announcement.NONE,
    frozenset({VIRTIO_MEM}),
    "takes no DIMMs: its architecture has none",
    "plug a virtio-mem device (--kind virtio-mem; QEMU 10.0 and later), which takes maxmem but no"
    " slots",
    pads_slots=False,
    virtio_driver="virtio-mem-ccw",
)
_UNKNOWN = MachineRule(
    Announcement.NONE,
    _NOTHING,
    "has no memory hot-plug at all, as far as is known of QEMU up to 11.1",
    "start it with all the memory that it will need; machines that take memory are pc and q35"
    " (x86), virt (aarch64, loongarch64) and pseries (ppc64)",
)

_BY_ACPI = MachineRule(Announcement.ACPI, frozenset({DIMM}), "", "", pads_slots=False)

_RULES: tuple[tuple[str, str, MachineRule], ...] = (
    (r"x86_64|i386", r"(?:pc|q35)(?:-.*)?", _PC),
    (r"x86_64|i386", r".*", _NO_PC),
    (r"aarch64", r"virt(?:-.*)?", _ARM),
    (r"aarch64|arm", r".*", _NO_ARM),
    (r"ppc64", r"pseries(?:-.*)?", _PSERIES),
    (r"ppc64|ppc", r".*", _NO_PPC),
    (r"loongarch64", r"virt(?:-.*)?", _LOONGARCH),
    (r"s390x", r".*", _S390X),
)
"""Architecture as ``query-target`` names it, machine type, what is so of it; the first counts."""


def rule_of(arch: str, machine: str, *, has_acpi: bool = False) -> MachineRule:
    """Return what is so of a machine type; of one that does not tell its type, what is so of a PC.

    Args:
        arch: as ``query-target`` names it.
        machine: the machine type, without ``-machine``; "" where it does not tell.
        has_acpi: it answers for ACPI slots: then one that is in no table takes DIMMs.
    """
    if not machine:
        return _PC
    for arches, machines, rule in _RULES:
        if re.fullmatch(arches, arch) and re.fullmatch(machines, machine):
            return rule
    return _BY_ACPI if has_acpi else _UNKNOWN


_BLOCKS = {
    "aarch64": (128 * MIB, "Linux on 64-bit Arm with pages of 4 KiB"),
    "ppc64": (256 * MIB, "Linux on pseries"),
    "loongarch64": (512 * MIB, "Linux on LoongArch"),
    "s390x": (256 * MIB, "Linux on s390x"),
    "riscv64": (128 * MIB, "Linux on RISC-V"),
}
"""What a guest adds and switches on at once, and whose rule that is."""

SECTION = 128 * MIB
"""What Linux on x86 adds and switches on at once: its memory section (SECTION_SIZE_BITS 27)."""

_LARGE_FROM = 64 * GIB
_LARGEST = 2 * GIB


def guest_block(arch: str, end_of_ram: int) -> tuple[int, str]:
    """Return the bytes of a guest's memory block, and whose rule that is.

    Linux on x86 (arch/x86/mm/init_64.c) takes 128 MiB; from 64 GiB of boot RAM on, the largest
    power of two up to 2 GiB that divides the address where that RAM ends.

    Args:
        arch: as ``query-target`` names it.
        end_of_ram: the address after the last byte of RAM from the start.
    """
    if arch in _BLOCKS:
        return _BLOCKS[arch]
    whose = "Linux on x86"
    if end_of_ram < _LARGE_FROM:
        return SECTION, whose
    block = _LARGEST
    while block > SECTION and end_of_ram % block:
        block //= 2
    return block, f"{whose} with so much RAM"
