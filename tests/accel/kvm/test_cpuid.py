"""What CPUID tells of a CPU's place (Intel SDM, volume 2; AMD APM, volume 3, appendix E)."""

from __future__ import annotations

from struct import unpack_from

import pytest

from guestmap.accel.kvm.abi import SET_CPUID2
from guestmap.accel.kvm.caps import CpuidEntry, Features
from guestmap.accel.kvm.cpuid import set_cpuid
from guestmap.accel.types import Processor

HYPERVISOR = 1 << 31  # Linux, Documentation/virt/kvm/x86/cpuid.rst: where a guest looks further
X2APIC, TSC_DEADLINE, HTT, CMP_LEGACY = 1 << 21, 1 << 24, 1 << 28, 1 << 1
HOST = (
    CpuidEntry(0, 0, 0, 0x1F, 1, 2, 3),
    CpuidEntry(1, 0, 0, 0x600F20, 0x0507_0800, X2APIC | TSC_DEADLINE | 1, HTT | 2),
    CpuidEntry(4, 1, 1, 0xFFFF_C021, 9, 9, 9),
    CpuidEntry(4, 3, 1, 0xFFFF_C063, 9, 9, 9),
    CpuidEntry(4, 4, 1, 0, 0, 0, 0),
    CpuidEntry(0xB, 0, 1, 7, 7, 0x100, 5),
    CpuidEntry(0x1F, 0, 1, 7, 7, 0x100, 5),
    CpuidEntry(0x8000_0001, 0, 0, 0, 0, 0x20, 7),
    CpuidEntry(0x8000_0008, 0, 0, 0x3028, 0, 0xFFFF, 0),
    CpuidEntry(0x8000_001E, 0, 0, 5, 5, 5, 0),
)


class Vcpu:
    """Notes what it is told."""

    def call(self, request, table):
        assert request is SET_CPUID2
        (count,) = unpack_from("<I", table)
        entries = [CpuidEntry(*unpack_from("<7I", table, 8 + 40 * n)) for n in range(count)]
        assert len(table) == 8 + 40 * count
        self.told = {(each.leaf, each.subleaf): each for each in entries}


def told(processor: Processor, host=HOST) -> dict[tuple[int, int], CpuidEntry]:
    vcpu = Vcpu()
    set_cpuid(vcpu, Features({}, 0, host), processor)
    return vcpu.told


def test_one_alone():
    found = told(Processor())
    assert found[0, 0] == HOST[0]
    one = found[1, 0]
    assert (one.ebx, one.ecx, one.edx) == (0x0001_0800, HYPERVISOR | 1, 2), "no HTT"
    assert found[4, 1].eax == 0x21
    assert found[0x8000_0008, 0].ecx == 0
    assert not found[0x8000_0001, 0].ecx & CMP_LEGACY


@pytest.mark.parametrize(
    ("apic_id", "socket", "core"), [(0, 0, 0), (0b0_01_1, 0, 1), (0b1_10_0, 1, 2)]
)
def test_three_cores_of_two_threads_in_two_sockets(apic_id, socket, core):
    found = told(Processor(apic_id, cores=3, threads=2))
    one = found[1, 0]
    assert (one.ebx >> 24, one.ebx >> 16 & 0xFF, one.ebx & 0xFFFF) == (apic_id, 6, 0x0800)
    assert one.edx & HTT
    caches = found[4, 1].eax, found[4, 3].eax
    assert [each >> 26 for each in caches] == [2, 2], "cores of the socket, less one"
    assert [each >> 14 & 0xFFF for each in caches] == [1, 5], "who shares it, less one"
    assert [each & 0x3FFF for each in caches] == [0x21, 0x63]
    assert found[4, 4].eax == 0
    assert [found[0xB, n][3:] for n in range(3)] == [
        (1, 2, 0x100, apic_id), (3, 6, 0x201, apic_id), (0, 0, 2, apic_id)
    ]  # fmt: skip
    assert (0x1F, 0) not in found
    assert found[0x8000_0001, 0].ecx == 0x20 | CMP_LEGACY
    assert found[0x8000_0008, 0].ecx == 5 | 3 << 12
    assert found[0x8000_001E, 0][3:6] == (apic_id, core | 1 << 8, socket)


def test_a_host_without_levels_has_none_to_tell():
    assert (0xB, 0) not in told(Processor(), HOST[:5])
