"""What CPUID tells a guest: all that the kernel supports, but for what our machine does itself."""

from __future__ import annotations

from struct import pack, pack_into
from typing import TYPE_CHECKING

from guestmap.accel.kvm.abi import SET_CPUID2

if TYPE_CHECKING:
    from guestmap.accel.kvm.caps import CpuidEntry, Features
    from guestmap.accel.kvm.kernel import Handle

_ENTRY = 40
_FEATURES, _PARAVIRTUAL = 1, 0x4000_0001
_X2APIC, _TSC_DEADLINE = 1 << 21, 1 << 24  # ECX: both are the local APIC's, which is the machine's
_KVMCLOCK = 1 << 3 | 1 << 24  # EAX: of KVM's own offers, those that need no local APIC of KVM's
_APIC_ID_SHIFT = 24


def set_cpuid(vcpu: Handle, features: Features, number: int) -> None:
    """Tell a vCPU what CPUID answers; without, a guest has none, and MOVBE and others fault.

    Args:
        vcpu: before it first runs.
        features: of the host.
        number: the vCPU's, which is its local APIC's.

    Raises:
        HostError: the kernel refuses.
    """
    entries = [_shown(each, number) for each in features.cpuid]
    table = bytearray(8 + len(entries) * _ENTRY)
    pack_into("<I", table, 0, len(entries))
    for index, each in enumerate(entries):
        table[8 + index * _ENTRY : 8 + (index + 1) * _ENTRY] = pack("<7I12x", *each)
    vcpu.call(SET_CPUID2, table)


def _shown(entry: CpuidEntry, number: int) -> CpuidEntry:
    if entry.leaf == _FEATURES:
        return entry._replace(
            ebx=entry.ebx & (1 << _APIC_ID_SHIFT) - 1 | number << _APIC_ID_SHIFT,
            ecx=entry.ecx & ~(_X2APIC | _TSC_DEADLINE),
        )
    if entry.leaf == _PARAVIRTUAL:
        return entry._replace(eax=entry.eax & _KVMCLOCK)
    return entry
