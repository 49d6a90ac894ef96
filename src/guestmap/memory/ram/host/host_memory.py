"""One mapping of host memory, and its end.

The end is the delicate part. Whoever holds a ``memoryview`` of the memory, or a slice of one,
keeps it mapped: a view holds its exporter, and the mapping goes with the exporter. A host address
is only a number and holds nothing. So when the exporter dies, the mapping is first left to the
machine's RCU domain, and unmapped after every reader that may have found the address has left.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import sys
import weakref
from typing import Protocol, cast

from guestmap.base import ConfigError, HostError, StateError
from guestmap.memory.ram.host import libc
from guestmap.rcu import Rcu

_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)
_LARGEST = 1 << 62


class Cells(Protocol):
    """An array of ``c_char``: each slice is a copy of its own."""

    def __len__(self) -> int: ...
    def __getitem__(self, cells: slice, /) -> bytes: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...


NO_CELLS = cast("Cells", (ctypes.c_char * 0)())
"""The array of no memory."""


class _Mapping:
    """What is to be given back to the host. It must hold nothing that holds the memory.

    Attributes:
        address, length: what to unmap, the guard page with it.
        fd: the file behind it, which is closed too; -1 for none.
        rcu: the domain whose readers may have the address.
        unread: whether they have already been waited for.
        discard: file offset and length of what to discard before, or None.
    """

    __slots__ = ("address", "discard", "fd", "length", "rcu", "unread")

    def __init__(self, address: int, length: int, fd: int, rcu: Rcu) -> None:
        self.address = address
        self.length = length
        self.fd = fd
        self.rcu = weakref.ref(rcu)
        self.unread = False
        self.discard: tuple[int, int] | None = None

    def exporter_died(self) -> None:
        """Unmap now or after the readers. Runs in whichever thread dropped the last view.

        When the interpreter ends the host takes everything back: whoever could be waited for
        stands still for good, perhaps with a lock, or is an engine's and runs on.
        """
        if sys.is_finalizing():
            return
        rcu = self.rcu()
        if rcu is not None and not self.unread:
            with contextlib.suppress(StateError):  # closed: its readers have been waited for
                with contextlib.suppress(HostError):  # no thread now: queued for the next
                    rcu.call(self.unmap)
                return
        self.unmap()

    def unmap(self) -> None:
        """Give the memory and the file back."""
        if self.discard is not None:
            with contextlib.suppress(HostError):  # nobody is left to be told
                libc.punch_hole(self.fd, *self.discard)
        libc.munmap(self.address, self.length)
        if self.fd >= 0:
            os.close(self.fd)


class HostMemory:
    """Mapped host memory. Keep it, or any view of ``buffer``, and it stays.

    Attributes:
        buffer: the memory, one byte to an item; read-only where the mapping is.
        cells: the same memory as an array of ``c_char``: a slice of it is a copy (``bytes``).
            Slices of one memoryview are counted without a lock by a CPython that has none, and
            the view counts as released once the count goes wrong (CPython 3.13t); an array
            counts nothing. Do not write through it where ``buffer`` is read-only.
        address: where it is in this process.
        page_size: bytes of the pages it consists of (huge pages where it is made of these).
        align: what guest addresses of it should be aligned to, in bytes.
        shared: whether other processes that map the same file see what is written.
        fd: the file behind it, -1 for none; owned by the mapping.
        fd_offset: where in the file it starts, in bytes.
    """

    __slots__ = (
        "_mapping",
        "address",
        "align",
        "buffer",
        "cells",
        "fd",
        "fd_offset",
        "page_size",
        "shared",
    )

    def __init__(self, buffer: memoryview, cells: Cells) -> None:
        self.buffer = buffer
        self.cells = cells
        self.address = ctypes.addressof(cast("ctypes.c_char", cells)) if len(cells) else 0
        self.page_size = self.align = mmap.PAGESIZE
        self.shared = False
        self.fd = -1
        self.fd_offset = 0
        self._mapping: _Mapping | None = None

    @classmethod
    def of(cls, buffer: memoryview) -> HostMemory:
        """Return memory that somebody else made, and gives back; it is kept while it is used.

        Args:
            buffer: writable, of single bytes.
        """
        array = ctypes.c_char * len(buffer)
        return cls(buffer, cast("Cells", array.from_buffer(buffer)) if len(buffer) else NO_CELLS)

    @classmethod
    def map(
        cls,
        rcu: Rcu,
        length: int,
        *,
        align: int,
        shared: bool = False,
        readonly: bool = False,
        reserve: bool = True,
        fd: int = -1,
        fd_offset: int = 0,
        page_size: int = mmap.PAGESIZE,
        refusal: str = "unable to map backing store for guest RAM",
    ) -> HostMemory:
        """Map memory at an aligned host address, with a page behind it that nobody may touch.

        Args:
            rcu: the domain whose read sections delay the end.
            length: bytes; whole pages.
            align: of the host address; a power of two, at least a page.
            shared: write to the file itself, instead of to a copy.
            readonly: for the host too.
            reserve: have the host promise the memory now; else it fails when it is touched.
            fd: the file, which the mapping owns if this succeeds; -1 for anonymous memory.
            fd_offset: where in the file the memory starts, in bytes.
            page_size: of the file system, in bytes.
            refusal: what to say if the host refuses.

        Raises:
            HostError: the host refused; nothing is left mapped.
        """
        slack = align + mmap.PAGESIZE
        arguments = f"length=0x{length:x} fd={fd} offset=0x{fd_offset:x}"
        if length + slack > _LARGEST:
            raise HostError(refusal, errno=errno.ENOMEM, call="mmap", arguments=arguments)
        hidden = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE
        base = libc.mmap(0, length + slack, 0, hidden, -1, 0)
        if base is None:
            raise libc.refusal(refusal, "mmap", arguments)
        address = -(-base // align) * align
        prot = mmap.PROT_READ | (0 if readonly else mmap.PROT_WRITE)
        flags = libc.MAP_FIXED | (mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE)
        flags |= 0 if reserve else _NORESERVE
        flags |= mmap.MAP_ANONYMOUS if fd < 0 else 0
        if libc.mmap(address, length, prot, flags, fd, fd_offset) is None:
            error = libc.refusal(refusal, "mmap", arguments)
            libc.munmap(base, length + slack)
            raise error
        end = address + length + mmap.PAGESIZE
        if address > base:
            libc.munmap(base, address - base)
        if base + length + slack > end:
            libc.munmap(end, base + length + slack - end)
        exporter = (ctypes.c_char * length).from_address(address)
        mapping = _Mapping(address, end - address, fd, rcu)
        weakref.finalize(exporter, mapping.exporter_died).atexit = False
        view = memoryview(exporter).cast("B")
        memory = cls(view.toreadonly() if readonly else view, cast("Cells", exporter))
        memory._mapping = mapping
        memory.align = max(align, page_size)
        memory.page_size = page_size
        memory.shared = shared
        memory.fd, memory.fd_offset = fd, fd_offset
        return memory

    @property
    def readonly(self) -> bool:
        """Whether even the host may not write."""
        return self.buffer.readonly

    def quiesced(self) -> None:
        """Say that no reader can have the address any more: the last view's end is the end."""
        if self._mapping is not None:
            self._mapping.unread = True

    def abandon(self) -> None:
        """Let go of fresh memory that nobody has seen, at once."""
        self.quiesced()
        self.buffer, self.cells = memoryview(b""), NO_CELLS

    def discard_at_end(self) -> None:
        """Give the file's storage back as well when the memory is unmapped."""
        if self._mapping is not None and self.fd >= 0:
            self._mapping.discard = (self.fd_offset, len(self.buffer))

    def discard(self, offset: int, length: int) -> None:
        """Give whole pages back to the host.

        They read as zeros from now on; memory that is private to this process and comes from a
        file reads as the file again, which stays as it is (QEMU empties the file).

        Raises:
            ConfigError: not whole pages, or not within the memory.
            StateError: the memory is read-only, or somebody else's.
            HostError: the host refused.
        """
        place = f"0x{offset:x} bytes 0x{length:x}"
        if offset % self.page_size or length % self.page_size:
            raise ConfigError(
                f"cannot discard RAM at {place}: give multiples of its page size"
                f" 0x{self.page_size:x}"
            )
        if not 0 <= offset <= offset + length <= len(self.buffer):
            raise ConfigError(
                f"cannot discard RAM at {place}: there are 0x{len(self.buffer):x} bytes"
            )
        if self.readonly:
            raise StateError("Discarding RAM with readonly files is not supported")
        if self._mapping is None:
            raise StateError(f"cannot discard RAM at {place}: the memory is somebody else's")
        if self.shared and self.fd >= 0:
            libc.punch_hole(self.fd, self.fd_offset + offset, length)
        else:
            advice = mmap.MADV_REMOVE if self.shared else mmap.MADV_DONTNEED
            self.advise(advice, offset=offset, length=length)

    def advise(self, advice: int, *, offset: int = 0, length: int | None = None) -> None:
        """Advise the kernel (madvise(2)) on a part of the memory, by default all.

        Raises:
            HostError: the host refused.
        """
        length = len(self.buffer) if length is None else length
        number = libc.madvise(self.address + offset, length, advice) if length else 0
        if number:
            raise HostError(
                "the host refuses an advice on memory",
                errno=number,
                call="madvise",
                arguments=f"addr=0x{self.address + offset:x} length=0x{length:x} advice={advice}",
            )
