"""KVM's requests and structures, as far as they are used here, as tables.

Source: Linux, Documentation/virt/kvm/api.rst, whose section numbers stand beside each request; the
layouts are those of x86-64, little-endian, with every padding byte.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from struct import Struct
from typing import NamedTuple

API_VERSION = 12
PAGE = 0x1000
"""Bytes of a page: what slots are made of."""

MAX_SLOT_SIZE = ((1 << 31) - 1) * PAGE & -(1 << 30)
"""Bytes that one slot can have (2**31 - 1 pages), down to a whole GiB."""

_KVMIO = 0xAE
_WRITE, _READ = 1 << 30, 1 << 31  # from the caller's view: what the kernel gets, what it gives


class Ioctl(NamedTuple):
    """A request.

    Attributes:
        name: the document's.
        code: what ioctl(2) is given.
        size: bytes of the structure that goes with it; 0 where a number does, or nothing.
    """

    name: str
    code: int
    size: int = 0


def _io(name: str, number: int) -> Ioctl:
    return Ioctl(name, _KVMIO << 8 | number)


def _iow(name: str, number: int, size: int) -> Ioctl:
    return Ioctl(name, _WRITE | size << 16 | _KVMIO << 8 | number, size)


def _ior(name: str, number: int, size: int) -> Ioctl:
    return Ioctl(name, _READ | size << 16 | _KVMIO << 8 | number, size)


def _iowr(name: str, number: int, size: int) -> Ioctl:
    return Ioctl(name, _READ | _WRITE | size << 16 | _KVMIO << 8 | number, size)


# -- of /dev/kvm -----------------------------------------------------------------------------------

GET_API_VERSION = _io("KVM_GET_API_VERSION", 0x00)  # 4.1
CREATE_VM = _io("KVM_CREATE_VM", 0x01)  # 4.2
CHECK_EXTENSION = _io("KVM_CHECK_EXTENSION", 0x03)  # 4.4
GET_VCPU_MMAP_SIZE = _io("KVM_GET_VCPU_MMAP_SIZE", 0x04)  # 4.5
GET_SUPPORTED_CPUID = _iowr("KVM_GET_SUPPORTED_CPUID", 0x05, 8)  # 4.46

# -- of a VM ---------------------------------------------------------------------------------------

CREATE_VCPU = _io("KVM_CREATE_VCPU", 0x41)  # 4.7
GET_DIRTY_LOG = _iow("KVM_GET_DIRTY_LOG", 0x42, 16)  # 4.8
SET_USER_MEMORY_REGION = _iow("KVM_SET_USER_MEMORY_REGION", 0x46, 32)  # 4.35
CREATE_IRQCHIP = _io("KVM_CREATE_IRQCHIP", 0x60)  # 4.24
IRQ_LINE = _iow("KVM_IRQ_LINE", 0x61, 8)  # 4.25
GET_IRQCHIP = _iowr("KVM_GET_IRQCHIP", 0x62, 520)  # 4.26
SET_IRQCHIP = _ior("KVM_SET_IRQCHIP", 0x63, 520)  # 4.27
SET_GSI_ROUTING = _iow("KVM_SET_GSI_ROUTING", 0x6A, 8)  # 4.52
SIGNAL_MSI = _iow("KVM_SIGNAL_MSI", 0xA5, 32)  # 4.70
SET_USER_MEMORY_REGION2 = _iow("KVM_SET_USER_MEMORY_REGION2", 0x49, 160)  # 4.140
CREATE_GUEST_MEMFD = _iowr("KVM_CREATE_GUEST_MEMFD", 0xD4, 64)  # 4.142
SET_TSS_ADDR = _io("KVM_SET_TSS_ADDR", 0x47)  # 4.36
SET_IDENTITY_MAP_ADDR = _iow("KVM_SET_IDENTITY_MAP_ADDR", 0x48, 8)  # 4.69
REGISTER_COALESCED_MMIO = _iow("KVM_REGISTER_COALESCED_MMIO", 0x67, 16)  # 4.116
UNREGISTER_COALESCED_MMIO = _iow("KVM_UNREGISTER_COALESCED_MMIO", 0x68, 16)  # 4.116
IOEVENTFD = _iow("KVM_IOEVENTFD", 0x79, 64)  # 4.59
ENABLE_CAP = _iow("KVM_ENABLE_CAP", 0xA3, 104)  # 4.37
RESET_DIRTY_RINGS = _io("KVM_RESET_DIRTY_RINGS", 0xC7)  # 8.29
CLEAR_DIRTY_LOG = _iowr("KVM_CLEAR_DIRTY_LOG", 0xC0, 24)  # 4.117

# -- of a vCPU -------------------------------------------------------------------------------------

RUN = _io("KVM_RUN", 0x80)  # 4.10
GET_REGS = _ior("KVM_GET_REGS", 0x81, 144)  # 4.11
SET_REGS = _iow("KVM_SET_REGS", 0x82, 144)  # 4.12
GET_SREGS = _ior("KVM_GET_SREGS", 0x83, 312)  # 4.13
SET_SREGS = _iow("KVM_SET_SREGS", 0x84, 312)  # 4.14
INTERRUPT = _iow("KVM_INTERRUPT", 0x86, 4)  # 4.16
GET_MSRS = _iowr("KVM_GET_MSRS", 0x88, 8)  # 4.18
SET_MSRS = _iow("KVM_SET_MSRS", 0x89, 8)  # 4.19
GET_FPU = _ior("KVM_GET_FPU", 0x8C, 416)  # 4.22
SET_FPU = _iow("KVM_SET_FPU", 0x8D, 416)  # 4.23
SET_GUEST_DEBUG = _iow("KVM_SET_GUEST_DEBUG", 0x9B, 72)  # 4.87
GET_LAPIC = _ior("KVM_GET_LAPIC", 0x8E, 1024)  # 4.57
SET_LAPIC = _iow("KVM_SET_LAPIC", 0x8F, 1024)  # 4.58
GET_MP_STATE = _ior("KVM_GET_MP_STATE", 0x98, 4)  # 4.38
SET_MP_STATE = _iow("KVM_SET_MP_STATE", 0x99, 4)  # 4.39
SMI = _io("KVM_SMI", 0xB7)  # 4.98
SET_CPUID2 = _iow("KVM_SET_CPUID2", 0x90, 8)  # 4.20
GET_VCPU_EVENTS = _ior("KVM_GET_VCPU_EVENTS", 0x9F, 64)  # 4.31
SET_VCPU_EVENTS = _iow("KVM_SET_VCPU_EVENTS", 0xA0, 64)  # 4.32
GET_DEBUGREGS = _ior("KVM_GET_DEBUGREGS", 0xA1, 128)  # 4.33
SET_DEBUGREGS = _iow("KVM_SET_DEBUGREGS", 0xA2, 128)  # 4.34


class Cap(IntEnum):
    """What can be asked for with KVM_CHECK_EXTENSION (include/uapi/linux/kvm.h)."""

    IRQCHIP = 0
    USER_MEMORY = 3
    SET_TSS_ADDR = 4
    EXT_CPUID = 7
    NR_VCPUS = 9
    NR_MEMSLOTS = 10
    MP_STATE = 14
    COALESCED_MMIO = 15
    DESTROY_MEMORY_REGION_WORKS = 21
    SET_GUEST_DEBUG = 23
    IRQ_ROUTING = 25
    JOIN_MEMORY_REGIONS_WORKS = 30
    IOEVENTFD = 36
    SET_IDENTITY_MAP_ADDR = 37
    INTERNAL_ERROR_DATA = 40
    VCPU_EVENTS = 41
    DEBUGREGS = 50
    MAX_VCPUS = 66
    SYNC_REGS = 74
    SIGNAL_MSI = 77
    READONLY_MEM = 81
    X86_SMM = 117
    MULTI_ADDRESS_SPACE = 118
    SPLIT_IRQCHIP = 121
    IOEVENTFD_ANY_LENGTH = 122
    IMMEDIATE_EXIT = 136
    COALESCED_PIO = 162
    MANUAL_DIRTY_LOG_PROTECT2 = 168
    DIRTY_LOG_RING = 192
    USER_MEMORY2 = 231
    GUEST_MEMFD = 234
    GUEST_MEMFD_FLAGS = 244


class SlotFlag(IntFlag):
    """``flags`` of a slot (4.35)."""

    LOG_DIRTY_PAGES = 1
    READONLY = 2
    GUEST_MEMFD = 4


GUEST_MEMFD_MMAP, GUEST_MEMFD_INIT_SHARED = 1, 2
"""``flags`` of KVM_CREATE_GUEST_MEMFD (4.142)."""

SMM_SPACE, SPACE_SHIFT = 1, 16
"""The address space of system management mode, and where that stands in a slot's number (4.35)."""

MANUAL_PROTECT_ENABLE, MANUAL_PROTECT_INITIALLY_SET = 1, 2
"""What KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 is enabled with (8.12)."""


class RingFlag(IntFlag):
    """``flags`` of an entry of a dirty ring (8.29)."""

    DIRTY = 1
    RESET = 2


class SyncFlag(IntFlag):
    """What of a vCPU's registers the kernel puts into the page that it shares (4.10, "sync")."""

    REGS = 1
    SREGS = 2


class BellFlag(IntFlag):
    """``flags`` of KVM_IOEVENTFD (4.59)."""

    DATAMATCH = 1
    PIO = 2
    DEASSIGN = 4


class DebugFlag(IntFlag):
    """``control`` of KVM_SET_GUEST_DEBUG (4.87, and arch/x86/include/uapi/asm/kvm.h)."""

    ENABLE = 1
    SINGLESTEP = 2
    USE_HW_BP = 0x20000


class ExitCode(IntEnum):
    """``exit_reason`` of ``struct kvm_run`` (section 5)."""

    UNKNOWN = 0
    IO = 2
    DEBUG = 4
    HLT = 5
    MMIO = 6
    IRQ_WINDOW_OPEN = 7
    SHUTDOWN = 8
    FAIL_ENTRY = 9
    INTR = 10
    SET_TPR = 11
    INTERNAL_ERROR = 17
    SYSTEM_EVENT = 24
    IOAPIC_EOI = 26
    DIRTY_RING_FULL = 31


# -- structures ------------------------------------------------------------------------------------

USER_MEMORY_REGION = Struct("<IIQQQ")
"""slot, flags, guest_phys_addr, memory_size, userspace_addr"""

USER_MEMORY_REGION2 = Struct("<IIQQQQI116x")
"""The same, guest_memfd_offset, guest_memfd."""

DIRTY_LOG = Struct("<I4xQ")
"""slot, dirty_bitmap: address of one bit a page, in whole 64-bit words"""

CLEAR_LOG = Struct("<IIQQ")
"""slot, num_pages, first_page, dirty_bitmap"""

DIRTY_GFN = Struct("<IIQ")
"""flags, slot, offset: one page that was written"""

DIRTY_RING_PAGE = 64
"""Where a vCPU's dirty ring begins in its memory, in pages."""

GUEST_DEBUG = Struct("<I4x8Q")
"""control, the debug registers DR0 to DR7"""

ENABLE = Struct("<II4Q64x")
"""cap, flags, args"""

BELL = Struct("<QQIiI36x")
"""datamatch, addr, len, fd, flags"""

ZONE = Struct("<QII")
"""addr, size, pio"""
