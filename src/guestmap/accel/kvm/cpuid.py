"""What CPUID tells a guest: all that the kernel supports, but for what our machine does itself."""

from __future__ import annotations

from struct import pack, pack_into
from typing import TYPE_CHECKING

from guestmap.accel.kvm.abi import SET_CPUID2
from guestmap.accel.kvm.caps import CpuidEntry

if TYPE_CHECKING:
    from guestmap.accel.kvm.caps import Features
    from guestmap.accel.kvm.kernel import Handle
    from guestmap.accel.types import Processor

_ENTRY = 40
_FEATURES, _PARAVIRTUAL = 1, 0x4000_0001
_X2APIC, _TSC_DEADLINE = 1 << 21, 1 << 24  # ECX: both are the local APIC's, which is the machine's
_HYPERVISOR = 1 << 31  # ECX: a guest looks for KVM's leaves then; the kernel leaves it to us
_KVMCLOCK = 1 << 3 | 1 << 24  # EAX: of KVM's own offers, those that need no local APIC of KVM's
_HTT, _COUNT_SHIFT, _APIC_ID_SHIFT = 1 << 28, 16, 24
_CACHES, _LEVELS, _MORE_LEVELS = 4, 0xB, 0x1F
_AMD_FEATURES, _AMD_SIZES, _AMD_PLACE = 0x8000_0001, 0x8000_0008, 0x8000_001E
_AMD_SEVERAL = 1 << 1  # ECX: "CmpLegacy"
_BY_SUBLEAF = 1  # KVM_CPUID_FLAG_SIGNIFCANT_INDEX
_THREAD_LEVEL, _CORE_LEVEL = 1 << 8, 2 << 8
_SHARED_BY_ALL = 3
"""The level of a cache that the cores of a socket share."""


def set_cpuid(vcpu: Handle, features: Features, processor: Processor) -> None:
    """Tell a vCPU what CPUID answers; without, a guest has none, and MOVBE and others fault.

    Args:
        vcpu: before it first runs.
        features: of the host.
        processor: what the vCPU is, and what is beside it.

    Raises:
        HostError: the kernel refuses.
    """
    entries = [
        _shown(each, processor)
        for each in features.cpuid
        if each.leaf not in {_LEVELS, _MORE_LEVELS}
    ]
    if any(each.leaf == _LEVELS for each in features.cpuid):
        entries += _topology(processor)
    table = bytearray(8 + len(entries) * _ENTRY)
    pack_into("<I", table, 0, len(entries))
    for index, each in enumerate(entries):
        table[8 + index * _ENTRY : 8 + (index + 1) * _ENTRY] = pack("<7I12x", *each)
    vcpu.call(SET_CPUID2, table)


def _topology(of: Processor) -> list[CpuidEntry]:
    """Return how the APIC ID is made up (Intel SDM, volume 2, CPUID leaf 0Bh)."""
    thread_bits, core_bits = _bits(of)
    rows = (
        (thread_bits, of.threads, _THREAD_LEVEL),
        (thread_bits + core_bits, of.threads * of.cores, _CORE_LEVEL),
        (0, 0, 0),
    )
    return [
        CpuidEntry(_LEVELS, number, _BY_SUBLEAF, bits, count, kind | number, of.apic_id)
        for number, (bits, count, kind) in enumerate(rows)
    ]


def _bits(of: Processor) -> tuple[int, int]:
    """Return how many bits of the APIC ID are the thread's, and the core's."""
    return (of.threads - 1).bit_length(), (of.cores - 1).bit_length()


def _shown(entry: CpuidEntry, of: Processor) -> CpuidEntry:
    beside = of.cores * of.threads
    thread_bits, core_bits = _bits(of)
    if entry.leaf == _FEATURES:
        return entry._replace(
            ebx=entry.ebx & 0xFFFF | beside << _COUNT_SHIFT | of.apic_id << _APIC_ID_SHIFT,
            ecx=entry.ecx & ~(_X2APIC | _TSC_DEADLINE) | _HYPERVISOR,
            edx=entry.edx & ~_HTT | (_HTT if beside > 1 else 0),
        )
    if entry.leaf == _CACHES and entry.eax & 0x1F:
        shared = beside if entry.eax >> 5 & 7 >= _SHARED_BY_ALL else of.threads
        return entry._replace(eax=entry.eax & 0x3FFF | shared - 1 << 14 | of.cores - 1 << 26)
    if entry.leaf == _AMD_FEATURES:
        several = _AMD_SEVERAL if beside > 1 else 0
        return entry._replace(ecx=entry.ecx & ~_AMD_SEVERAL | several)
    if entry.leaf == _AMD_SIZES:
        return entry._replace(ecx=beside - 1 | thread_bits + core_bits << 12)
    if entry.leaf == _AMD_PLACE:
        core = of.apic_id >> thread_bits & (1 << core_bits) - 1
        socket = of.apic_id >> thread_bits + core_bits
        return entry._replace(eax=of.apic_id, ebx=core | of.threads - 1 << 8, ecx=socket)
    if entry.leaf == _PARAVIRTUAL:
        return entry._replace(eax=entry.eax & _KVMCLOCK)
    return entry
