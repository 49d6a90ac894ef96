"""Where guest RAM comes from: QEMU's ``memory-backend-ram`` and ``-file``, as values.

A back-end is frozen and holds no memory: :meth:`RamBackend.allocate` makes some. An allocation
that fails leaves nothing behind, neither mappings nor open files nor files of its own making.
"""

from __future__ import annotations

import mmap
from dataclasses import field
from typing import Protocol

from guestmap.base import MIB, ConfigError
from guestmap.base.dataclass import dataclass
from guestmap.memory.ram.host.allocation import finished, rounded
from guestmap.memory.ram.host.backing_file import backing_file
from guestmap.memory.ram.host.host_memory import HostMemory
from guestmap.memory.ram.host.options import RamOptions
from guestmap.rcu import Rcu

HUGE = 2 * MIB
"""What anonymous RAM is aligned to (x86), so that the kernel can use huge pages."""


class RamBackend(Protocol):
    """Where RAM comes from."""

    @property
    def makes_rom(self) -> bool:
        """Whether what it makes is ROM to the guest."""

    def allocate(self, name: str, length: int, rcu: Rcu) -> HostMemory:
        """Return fresh memory of at least ``length`` bytes.

        Args:
            name: of the RAM, for messages.
            length: bytes; rounded up to whole pages.
            rcu: the domain whose read sections delay the unmapping.

        Raises:
            ConfigError: the request does not fit the back-end.
            HostError: the host refused.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class AnonymousRam:
    """Memory without a file (``memory-backend-ram``).

    Attributes:
        share: keep it shared with forked children, instead of copying on write.
        huge_pages: ask for transparent huge pages: faster, and touching a byte may cost 2 MiB.
        options: how its pages are treated.
    """

    share: bool = False
    huge_pages: bool = True
    options: RamOptions = field(default_factory=RamOptions)

    @property
    def makes_rom(self) -> bool:
        """False: there would be nothing to read."""
        return False

    def allocate(self, name: str, length: int, rcu: Rcu) -> HostMemory:
        """See :meth:`RamBackend.allocate`."""
        length = rounded(length, mmap.PAGESIZE)
        memory = HostMemory.map(
            rcu,
            length,
            align=HUGE if length >= HUGE else mmap.PAGESIZE,
            shared=self.share,
            reserve=self.options.reserve,
            refusal=f"cannot set up guest memory '{name}'",
        )
        memory.align = HUGE
        return finished(name, memory, self.options, huge_pages=self.huge_pages)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRam:
    """Memory from a file, a folder, a hugetlbfs or a character device (``memory-backend-file``).

    Whoever truncates the file while it is mapped ends this process with SIGBUS: so do not.

    Attributes:
        path: the file, made if it is missing; or a folder for a file without a name.
        offset: where in the file the memory starts, in bytes.
        align: of the host address, in bytes; 0 for a page.
        share: write to the file itself; else the file stays as it is.
        readonly: open the file for reading only.
        rom: make ROM of it; None for whatever ``readonly`` says.
        discard_data: give the file's storage back in the end.
        options: how its pages are treated.

    Raises:
        ConfigError: the values contradict each other.
    """

    path: str
    offset: int = 0
    align: int = 0
    share: bool = False
    readonly: bool = False
    rom: bool | None = None
    discard_data: bool = False
    options: RamOptions = field(default_factory=RamOptions)

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("mem-path property not set")
        if self.rom and not self.readonly:
            raise ConfigError("property 'rom' = 'on' is not supported with 'readonly' = 'off'")
        if self.readonly and self.share and self.rom is False:
            raise ConfigError(
                "property 'rom' = 'off' is incompatible with 'readonly' = 'on' and 'share' = 'on'"
            )

    def allocate(self, name: str, length: int, rcu: Rcu) -> HostMemory:
        """See :meth:`RamBackend.allocate`."""
        with backing_file(self.path, name, readonly=self.readonly) as file:
            length = rounded(length, mmap.PAGESIZE)
            file.check(self.align, self.offset, length)
            length = rounded(length, file.page_size)
            file.make_room(self.offset + length)
            memory = HostMemory.map(
                rcu,
                length,
                align=max(self.align, file.page_size),
                shared=self.share,
                readonly=self.makes_rom,
                reserve=self.options.reserve,
                fd=file.fd,
                fd_offset=self.offset,
                page_size=file.page_size,
            )
            file.detach()
            finished(name, memory, self.options)
        if self.discard_data and self.share and not self.readonly:
            memory.discard_at_end()
        return memory

    @property
    def makes_rom(self) -> bool:
        """What ``rom`` says, or else ``readonly``."""
        return self.readonly if self.rom is None else self.rom


@dataclass(frozen=True, slots=True)
class BufferRam:
    """Memory that the caller made, and keeps (QEMU's RAM from a pointer).

    Attributes:
        buffer: writable and contiguous.
    """

    buffer: memoryview

    @property
    def makes_rom(self) -> bool:
        """False: the buffer is writable."""
        return False

    def allocate(self, name: str, length: int, rcu: Rcu) -> HostMemory:  # noqa: ARG002
        """Return the buffer.

        Raises:
            ConfigError: it is read-only or not contiguous, or has less than ``length`` bytes.
        """
        buffer = self.buffer
        kind = "read-only " if buffer.readonly else "" if buffer.c_contiguous else "scattered "
        if kind or buffer.nbytes < length:
            raise ConfigError(
                f"RAM {name!r} of 0x{length:x} bytes has a {kind}buffer of 0x{buffer.nbytes:x}"
            )
        return HostMemory.of(buffer.cast("B"))
