"""The system calls on memory that Python's own modules lack (Linux man pages, section 2).

Python's ``mmap`` places a mapping where the kernel likes, without alignment or guard page, and
cannot name the NUMA nodes it comes from.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from errno import EINVAL

from guestmap.base import HostError

MADV_POPULATE_READ = 22
MADV_POPULATE_WRITE = 23
"""madvise(2), since Linux 5.14; not yet in Python's ``mmap``."""

MAP_FIXED = 0x10
MPOL_MF_STRICT = 1
MPOL_MF_MOVE = 2
FALLOC_FL_KEEP_SIZE = 1
FALLOC_FL_PUNCH_HOLE = 2
HUGETLBFS_MAGIC = 0x958458F6

_MBIND_NUMBERS = {"x86_64": 237, "aarch64": 235, "riscv64": 235, "ppc64le": 259, "s390x": 268}
_MAP_FAILED = ctypes.c_void_p(-1).value


class _StatFs(ctypes.Structure):
    """The start of statfs(2)'s answer on 64-bit Linux, and room for the rest."""

    _fields_ = (("f_type", ctypes.c_long), ("f_bsize", ctypes.c_long), ("rest", ctypes.c_long * 30))


def _load() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    address, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    libc.mmap.argtypes = (address, size, number, number, number, ctypes.c_long)
    libc.mmap.restype = ctypes.c_void_p
    libc.munmap.argtypes = (address, size)
    libc.madvise.argtypes = (address, size, number)
    libc.fallocate.argtypes = (number, number, ctypes.c_long, ctypes.c_long)
    libc.fstatfs.argtypes = (number, ctypes.c_void_p)
    libc.syscall.restype = ctypes.c_long
    return libc


_LIBC = _load()


def resize(fd: int, length: int) -> None:
    """Give a file a length; one that the kernel's signed type cannot hold is refused as it would.

    Raises:
        OSError: ftruncate(2) failed.
    """
    if length >> 63:
        raise OSError(EINVAL, os.strerror(EINVAL))
    os.ftruncate(fd, length)


def refusal(message: str, call: str, arguments: str) -> HostError:
    """Return the error for a call of this module that has just failed."""
    return HostError(message, errno=ctypes.get_errno(), call=call, arguments=arguments)


def mmap(address: int, length: int, prot: int, flags: int, fd: int, offset: int) -> int | None:
    """Map memory, and return where; None where the host refuses, see :func:`refusal`."""
    found = _LIBC.mmap(address, length, prot, flags, fd, offset)
    return None if found == _MAP_FAILED or found is None else int(found)


def munmap(address: int, length: int) -> None:
    """Unmap memory that was mapped here.

    Raises:
        HostError: the host refused.
    """
    if _LIBC.munmap(address, length):
        raise refusal("cannot unmap memory", "munmap", f"addr=0x{address:x} length=0x{length:x}")


def madvise(address: int, length: int, advice: int) -> int:
    """Advise the kernel; return 0, or the error number."""
    return ctypes.get_errno() if _LIBC.madvise(address, length, advice) else 0


def punch_hole(fd: int, offset: int, length: int) -> None:
    """Give the storage behind a part of a file back; it reads as zeros from now on.

    Raises:
        HostError: the file system cannot.
    """
    if _LIBC.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length):
        arguments = f"fd={fd} PUNCH_HOLE offset=0x{offset:x} length=0x{length:x}"
        raise refusal("cannot punch a hole into the backing store", "fallocate", arguments)


def huge_page_size(fd: int) -> int:
    """Return the size of the pages of a file on hugetlbfs, in bytes; 0 for any other file."""
    found = _StatFs()
    if _LIBC.fstatfs(fd, ctypes.byref(found)):
        raise refusal("cannot find the file system of the backing store", "fstatfs", f"fd={fd}")
    return int(found.f_bsize) if found.f_type == HUGETLBFS_MAGIC else 0


def mbind(address: int, length: int, mode: int, nodes: Iterable[int]) -> None:
    """Say from which NUMA nodes pages come, and move those that are there already (mbind(2)).

    Raises:
        HostError: the host has no such nodes, or knows no nodes at all.
    """
    machine = os.uname().machine
    number = _MBIND_NUMBERS.get(machine)
    mask = sum(1 << node for node in set(nodes))
    arguments = f"addr=0x{address:x} length=0x{length:x} mode={mode} nodes=0x{mask:x}"
    if number is None:
        raise HostError(
            f"cannot bind memory to host NUMA nodes: no mbind on {machine}",
            call="mbind",
            arguments=arguments,
        )
    words = mask.bit_length() // 64 + 1
    array = (ctypes.c_uint64 * words)(*(mask >> 64 * i & (1 << 64) - 1 for i in range(words)))
    failed = _LIBC.syscall(
        ctypes.c_long(number),
        ctypes.c_void_p(address),
        ctypes.c_ulong(length),
        ctypes.c_long(mode),
        array if mask else None,
        ctypes.c_ulong(64 * words + 1 if mask else 0),
        ctypes.c_ulong(MPOL_MF_STRICT | MPOL_MF_MOVE),
    )
    if failed:
        raise refusal("cannot bind memory to host NUMA nodes", "mbind", arguments)
