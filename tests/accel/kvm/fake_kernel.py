"""A kernel with KVM's rules for a VM's memory, and nothing behind it."""

from __future__ import annotations

import ctypes
import errno
from struct import pack, pack_into, unpack, unpack_from
from typing import TYPE_CHECKING, NamedTuple

from guestmap.accel.kvm import abi
from guestmap.accel.kvm.abi import Cap

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = 0x1000
_CANONICAL = 1 << 47
MOST_ZONES = 1000
DEVICE, VM, VCPU = 100, 101, 102


class Region(NamedTuple):
    """A memory slot as the kernel keeps it."""

    flags: int
    start: int
    size: int
    host: int


class FakeKernel:
    """Answers a VM's requests as Linux does; one VM, one vCPU.

    Attributes:
        slots: by number.
        bells: writes that ring: match, address, size, descriptor, flags.
        zones: where writes are held back: address, size, whether they are ports.
        mapped_over: descriptor, address and size of each mapping in place of another.
        files: size and flags of each guest_memfd, by descriptor.
        log: each request that changed a slot: "number,flags,address,size", or "del number".
        written: pages of a slot that the guest wrote, by number of the slot.
        after_look: done once, when a log has been looked at.
    """

    def __init__(self, *, slots: int = 64, address_bits: int = 40, **lacks: int) -> None:
        self.caps = dict.fromkeys(Cap, 1) | {Cap.NR_MEMSLOTS: slots, Cap.COALESCED_MMIO: 2}
        self.caps |= {Cap[name]: value for name, value in lacks.items()}
        self.address_bits = address_bits
        self.version = 12
        self.refusal: int | None = None
        self.slots: dict[int, Region] = {}
        self.written: dict[int, set[int]] = {}
        self.after_look: Callable[[], None] = lambda: None
        self.manual = False
        self.log: list[str] = []
        self._refused: range = range(0)
        self._asked = 0
        self.open_fds: set[int] = set()
        self.mapped_over: list[tuple[int, int, int]] = []
        self.files: dict[int, tuple[int, int]] = {}
        self.bells: list[tuple[int, int, int, int, int]] = []
        self.zones: list[tuple[int, int, int]] = []

    # -- the calls -------------------------------------------------------------------------------

    def open(self, path: str) -> int:
        if self.refusal is not None:
            raise OSError(self.refusal, path)
        self.open_fds.add(DEVICE)
        return DEVICE

    def close(self, fd: int) -> None:
        self.open_fds.remove(fd)

    def map(self, fd: int, size: int, offset: int = 0) -> bytearray:
        assert fd == VCPU
        return bytearray(size)

    def map_over(self, fd: int, address: int, size: int) -> None:
        self.mapped_over.append((fd, address, size))

    def ioctl(self, fd: int, code: int, argument: int | bytearray) -> int:
        assert fd in self.open_fds
        assert not isinstance(argument, bytes)
        if isinstance(argument, bytearray):
            assert len(argument) >= code >> 16 & 0x3FFF
        return self._requests()[code](argument)

    def _requests(self):
        return {
            abi.GET_API_VERSION.code: lambda _: self.version,
            abi.CHECK_EXTENSION.code: lambda cap: self.caps.get(cap, 0),
            abi.GET_VCPU_MMAP_SIZE.code: lambda _: 3 * PAGE,
            abi.GET_SUPPORTED_CPUID.code: self._supported_cpuid,
            abi.CREATE_VM.code: lambda _: self._new(VM),
            abi.SET_TSS_ADDR.code: lambda _: 0,
            abi.SET_IDENTITY_MAP_ADDR.code: lambda _: 0,
            abi.ENABLE_CAP.code: self._enable,
            abi.SET_USER_MEMORY_REGION.code: self._set_region,
            abi.SET_USER_MEMORY_REGION2.code: self._set_region2,
            abi.CREATE_GUEST_MEMFD.code: self._new_file,
            abi.GET_DIRTY_LOG.code: self._get_dirty,
            abi.CLEAR_DIRTY_LOG.code: self._clear_dirty,
            abi.IOEVENTFD.code: self._ioeventfd,
            abi.REGISTER_COALESCED_MMIO.code: self._register_zone,
            abi.UNREGISTER_COALESCED_MMIO.code: self._unregister_zone,
        }

    def _new(self, fd: int) -> int:
        self.open_fds.add(fd)
        return fd

    def _supported_cpuid(self, table: bytearray) -> int:
        pack_into("<I4x7I", table, 0, 1, 0x80000008, 0, 0, self.address_bits | 48 << 8, 0, 0, 0)
        return 0

    def _enable(self, request: bytearray) -> int:
        cap, _, value = unpack_from("<IIQ", request)
        assert cap == Cap.MANUAL_DIRTY_LOG_PROTECT2
        self.manual = bool(value & 1)
        return 0

    def _new_file(self, request: bytearray) -> int:
        size, flags = unpack_from("<QQ", request)
        file = 200 + len(self.files)
        self.files[file] = (size, flags)
        return self._new(file)

    def _set_region2(self, request: bytearray) -> int:
        """Make a slot with a file: with no log, not read-only, and never again."""
        number, flags, start, size, host, offset, file = unpack("<IIQQQQI116x", request)
        assert flags == 4
        assert number not in self.slots
        assert file in self.open_fds
        assert offset + size <= self.files[file][0]
        result = self._set_region(bytearray(pack("<IIQQQ", number, 0, start, size, host)))
        self.log[-1] += f",file {file}+{offset:x}"
        return result

    # -- slots -----------------------------------------------------------------------------------

    def _set_region(self, request: bytearray) -> int:
        number, flags, start, size, host = unpack("<IIQQQ", request)
        self._asked += 1
        if self._asked in self._refused:
            raise OSError(errno.ENOMEM, "refused")
        self._check(number, Region(flags, start, size, host))
        if not size:
            del self.slots[number]
            self.written.pop(number, None)
            self.log.append(f"del {number}")
            return 0
        old = self.slots.get(number)
        self.slots[number] = Region(flags, start, size, host)
        if not flags & 1:
            self.written.pop(number, None)
        elif old is None or not old.flags & 1:
            self.written[number] = set()
        self.log.append(f"{number},{flags},{start:x},{size:x}")
        return 0

    def refuse(self, first: int, count: int = 1) -> None:
        """Refuse slot requests from the ``first``-th that comes on (0: none)."""
        self._asked = 0
        self._refused = range(first, first + count if first else 0)

    def _check(self, number: int, new: Region) -> None:
        old = self.slots.get(number)
        wrong = (
            new.start % PAGE or new.size % PAGE or new.host % PAGE or new.flags & ~3
            or new.host >= _CANONICAL or new.size >> 12 >= 1 << 31
            or number & 0xFFFF >= self.caps[Cap.NR_MEMSLOTS]
            or number >> 16 >= max(self.caps[Cap.MULTI_ADDRESS_SPACE], 1)
            or new.start + new.size > 1 << self.address_bits
            or (not new.size and old is None)
        )  # fmt: skip
        if new.size and old is not None:
            fixed = (new.size, new.host, new.flags & 2)
            wrong = wrong or fixed != (old.size, old.host, old.flags & 2)
        if wrong:
            raise OSError(errno.EINVAL, "invalid")
        for each, region in self.slots.items():
            apart = new.start + new.size <= region.start or region.start + region.size <= new.start
            if each != number and each >> 16 == number >> 16 and not apart:
                raise OSError(errno.EEXIST, "overlap")

    def _ioeventfd(self, request: bytearray) -> int:
        *bell, flags = unpack("<QQIiI36x", request)
        made = (*bell, flags & 3)
        if flags & 4:
            if made not in self.bells:
                raise OSError(errno.ENOENT, "no such bell")
            self.bells.remove(made)
            return 0
        match, address, size, _, kind = made
        assert size in {0, 1, 2, 4, 8}
        assert size or not kind & 1, "any width matches no data"
        for other_match, other, other_size, _, other_kind in self.bells:
            same = other_match == match and other_kind == kind and other_size == size
            anyone = not size or not other_size
            if other == address and (other_kind ^ kind) & 2 == 0 and (same or anyone):
                raise OSError(errno.EEXIST, "there is one")
        self.bells.append(made)
        return 0

    def _register_zone(self, request: bytearray) -> int:
        if len(self.zones) == MOST_ZONES:
            raise OSError(errno.ENOSPC, "full")
        self.zones.append(unpack("<QII", request))
        return 0

    def _unregister_zone(self, request: bytearray) -> int:
        """Take every zone away that has the whole range in it; whatever there is, it is 0."""
        at, size, kind = unpack("<QII", request)
        self.zones = [
            each
            for each in self.zones
            if each[2] != kind or not (each[0] <= at and at + size <= each[0] + each[1])
        ]
        return 0

    # -- the dirty log ---------------------------------------------------------------------------

    def write(self, address: int) -> None:
        """Have the guest write to a page."""
        for number, region in self.slots.items():
            if region.start <= address < region.start + region.size and region.flags & 1:
                self.written[number].add((address - region.start) // PAGE)

    def _get_dirty(self, request: bytearray) -> int:
        number, where = unpack("<I4xQ", request)
        if number not in self.written:
            raise OSError(errno.ENOENT, "no log")
        pages = -(-self.slots[number].size // PAGE // 64) * 64
        bits = sum(1 << page for page in self.written[number])
        ctypes.memmove(where, bits.to_bytes(pages // 8, "little"), pages // 8)
        if not self.manual:
            self.written[number].clear()
        then, self.after_look = self.after_look, lambda: None
        then()
        return 0

    def _clear_dirty(self, request: bytearray) -> int:
        number, count, first, where = unpack("<IIQQ", request)
        if number not in self.written:
            raise OSError(errno.ENOENT, "no log")
        pages = self.slots[number].size // PAGE
        if first % 64 or first + count > pages or (count % 64 and first + count != pages):
            raise OSError(errno.EINVAL, "invalid")
        bits = int.from_bytes(ctypes.string_at(where, -(-count // 64) * 8), "little")
        self.written[number] -= {first + i for i in range(count) if bits >> i & 1}
        return 0
