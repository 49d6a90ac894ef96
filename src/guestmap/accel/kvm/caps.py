"""Whether this host has a KVM that can be used, and what it can do: asked, never assumed."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from struct import pack_into, unpack_from
from typing import NamedTuple

from guestmap.accel.kvm.abi import (
    API_VERSION,
    CHECK_EXTENSION,
    GET_API_VERSION,
    GET_SUPPORTED_CPUID,
    GET_VCPU_MMAP_SIZE,
    SMM_SPACE,
    Cap,
)
from guestmap.accel.kvm.kernel import Handle, Kernel
from guestmap.base import HostError, UnsupportedError
from guestmap.base.dataclass import dataclass

DEVICE = "/dev/kvm"
_INSTEAD = "--engine unicorn does without"

REQUIRED = (
    Cap.USER_MEMORY, Cap.DESTROY_MEMORY_REGION_WORKS, Cap.JOIN_MEMORY_REGIONS_WORKS, Cap.EXT_CPUID,
    Cap.INTERNAL_ERROR_DATA, Cap.VCPU_EVENTS, Cap.DEBUGREGS, Cap.READONLY_MEM, Cap.IMMEDIATE_EXIT,
)  # fmt: skip
"""Without one of these no machine runs."""

_DEFAULT_SLOTS = 32  # where KVM_CAP_NR_MEMSLOTS answers 0
_DEFAULT_VCPUS = 4  # where KVM_CAP_NR_VCPUS does
_MAX_ENTRIES = 256
_ENTRY = 40
_ADDRESS_SIZES = 0x8000_0008
_LEAST_ADDRESS_BITS = 36


class CpuidEntry(NamedTuple):
    """One entry of ``struct kvm_cpuid2``: what CPUID answers to a leaf, and maybe a subleaf."""

    leaf: int
    subleaf: int
    flags: int
    eax: int
    ebx: int
    ecx: int
    edx: int


@dataclass(frozen=True, slots=True)
class Features:
    """What the KVM of a host can do.

    Attributes:
        caps: the answer for each capability that has a name here; 0: it has not that.
        run_size: bytes of a vCPU's shared memory.
        cpuid: what it can show a guest.
        processor: the host's, by its brand; "" where the kernel does not tell.
    """

    caps: dict[Cap, int]
    run_size: int
    cpuid: tuple[CpuidEntry, ...]
    processor: str = ""

    def has(self, cap: Cap) -> bool:
        """Tell whether it has a capability."""
        return self.caps[cap] > 0

    @property
    def slots(self) -> int:
        """How many memory slots a VM can have; they are numbered from 0."""
        return self.caps[Cap.NR_MEMSLOTS] or _DEFAULT_SLOTS

    @property
    def vcpus(self) -> int:
        """How many vCPUs a VM can have (api.rst, section 4.7)."""
        return self.caps[Cap.MAX_VCPUS] or self.caps[Cap.NR_VCPUS] or _DEFAULT_VCPUS

    @property
    def has_smm(self) -> bool:
        """Whether vCPUs have a system management mode, with a memory map of its own."""
        return self.has(Cap.X86_SMM) and self.caps[Cap.MULTI_ADDRESS_SPACE] > SMM_SPACE

    @property
    def address_bits(self) -> int:
        """Width of guest-physical addresses (CPUID 8000_0008h, EAX bits 7-0)."""
        found = [each.eax & 0xFF for each in self.cpuid if each.leaf == _ADDRESS_SIZES]
        return found[0] if found else _LEAST_ADDRESS_BITS

    @property
    def is_in_tcg(self) -> bool:
        """Whether the host's processor is QEMU's TCG, whose virtualisation has holes."""
        return self.processor.startswith("QEMU TCG")


def open_device(kernel: Kernel, path: str = DEVICE) -> Handle:
    """Return the KVM device of this host.

    Raises:
        HostError: there is none, or this user may not open it.
        UnsupportedError: it is another interface than the one that is known here.
    """
    try:
        fd = kernel.open(path)
    except OSError as error:
        raise HostError(_no_device(path, error), errno=error.errno, call="open") from error
    device = Handle(kernel, fd, path)
    version = device.call(GET_API_VERSION)
    if version != API_VERSION:
        device.close()
        raise UnsupportedError(
            f"{path} speaks version {version} of KVM's interface, not {API_VERSION}: {_INSTEAD}"
        )
    return device


def ask(device: Handle) -> Features:
    """Return what the KVM behind a device can do.

    Raises:
        HostError: the kernel refuses to say.
        UnsupportedError: it lacks what every machine needs.
    """
    caps = {cap: device.call(CHECK_EXTENSION, cap) for cap in Cap}
    lacking = [f"KVM_CAP_{cap.name}" for cap in REQUIRED if caps[cap] <= 0]
    if lacking:
        raise UnsupportedError(f"{device.what} has no {', '.join(lacking)}: {_INSTEAD}")
    size = device.call(GET_VCPU_MMAP_SIZE)
    return Features(caps, size, _supported_cpuid(device), _processor())


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            line = next((each for each in lines if each.startswith("model name")), "")
    except OSError:
        return ""
    return line.partition(":")[2].strip()


def _supported_cpuid(device: Handle) -> tuple[CpuidEntry, ...]:
    table = bytearray(8 + _MAX_ENTRIES * _ENTRY)
    pack_into("<I", table, 0, _MAX_ENTRIES)
    device.call(GET_SUPPORTED_CPUID, table)
    (count,) = unpack_from("<I", table)
    return tuple(CpuidEntry(*unpack_from("<7I", table, 8 + i * _ENTRY)) for i in range(count))


def _no_device(path: str, error: OSError) -> str:
    """Say in one line why the device cannot be opened, and what helps."""
    if error.errno in {errno.ENOENT, errno.ENXIO, errno.ENODEV}:
        return (
            f"this host has no {path}, so engine 'kvm' cannot run (load the kernel's kvm_intel or"
            f" kvm_amd, or allow nested virtualization; {_INSTEAD})"
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"this user may not open {path} ({_group_of(path)}; {_INSTEAD})"
    return f"{path} cannot be opened ({_INSTEAD})"


def _group_of(path: str) -> str:
    """Say which group may."""
    import grp  # not everywhere that this module is imported

    try:
        found = os.stat(path)
        name = grp.getgrgid(found.st_gid).gr_name
    except (OSError, KeyError):
        return "ask who looks after this host"
    if found.st_mode & (stat.S_IRGRP | stat.S_IWGRP) != stat.S_IRGRP | stat.S_IWGRP:
        return f"its group {name!r} may not, either: see its mode"
    return f"who is in group {name!r} may"
