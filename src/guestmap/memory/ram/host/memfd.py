"""Guest RAM from a file that is only in memory: QEMU's ``memory-backend-memfd``, as a value."""

from __future__ import annotations

import fcntl
import mmap
import os
from dataclasses import field

from guestmap.base import ConfigError, HostError
from guestmap.base.dataclass import dataclass
from guestmap.memory.ram.host import libc
from guestmap.memory.ram.host.allocation import finished, rounded
from guestmap.memory.ram.host.host_memory import HostMemory
from guestmap.memory.ram.host.options import RamOptions
from guestmap.rcu import Rcu

_SEALS = fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


@dataclass(frozen=True, slots=True, kw_only=True)
class MemfdRam:
    """Memory from a file that is only in memory (``memory-backend-memfd``; memfd_create(2)).

    Attributes:
        share: write to the file itself; others get it from ``HostMemory.fd``.
        hugetlb: make it of huge pages, which the administrator has set aside.
        hugetlb_size: bytes of such a page; 0 for the host's default.
        seal: forbid everybody to change the file's size.
        options: how its pages are treated.

    Raises:
        ConfigError: ``hugetlb_size`` is not a power of two.
    """

    share: bool = True
    hugetlb: bool = False
    hugetlb_size: int = 0
    seal: bool = True
    options: RamOptions = field(default_factory=RamOptions)

    def __post_init__(self) -> None:
        if self.hugetlb_size & (self.hugetlb_size - 1):
            raise ConfigError("Hugepage size must be a power of 2")

    @property
    def makes_rom(self) -> bool:
        """False: there would be nothing to read."""
        return False

    def allocate(self, name: str, length: int, rcu: Rcu) -> HostMemory:
        """See :meth:`guestmap.memory.ram.host.RamBackend.allocate`."""
        length = rounded(length, mmap.PAGESIZE)
        fd = self._create(name, length)
        try:
            page_size = libc.huge_page_size(fd) or mmap.PAGESIZE
            memory = HostMemory.map(
                rcu,
                rounded(length, page_size),
                align=page_size,
                shared=self.share,
                reserve=self.options.reserve,
                fd=fd,
                page_size=page_size,
            )
        except BaseException:
            os.close(fd)
            raise
        return finished(name, memory, self.options)

    def _create(self, name: str, length: int) -> int:
        flags = os.MFD_CLOEXEC | (os.MFD_ALLOW_SEALING if self.seal else 0)
        if self.hugetlb:
            flags |= os.MFD_HUGETLB
            if self.hugetlb_size:
                flags |= (self.hugetlb_size.bit_length() - 1) << os.MFD_HUGE_SHIFT
        call = "memfd_create"
        fd = -1
        try:
            fd = os.memfd_create(name[:200], flags)
            call = "ftruncate"
            libc.resize(fd, length)
            call = "fcntl(F_ADD_SEALS)"
            if self.seal:
                fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
        except OSError as error:
            if fd >= 0:
                os.close(fd)
            failed = "resize" if call == "ftruncate" else "seal" if fd >= 0 else "create"
            raise HostError(
                f"failed to {failed} memfd{f' to {length}' if failed == 'resize' else ''}",
                errno=error.errno,
                call=call,
                arguments=f"flags=0x{flags:x}",
            ) from error
        return fd
