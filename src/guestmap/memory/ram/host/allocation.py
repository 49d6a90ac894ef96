"""What back-ends have in common: how much memory they make, and what they do to it at once."""

from __future__ import annotations

import mmap

from guestmap.memory.ram.host.host_memory import HostMemory
from guestmap.memory.ram.host.options import RamOptions, hint


def rounded(length: int, page_size: int) -> int:
    """Return ``length`` rounded up to whole pages."""
    return -(-length // page_size) * page_size


def finished(
    name: str, memory: HostMemory, options: RamOptions, *, huge_pages: bool = False
) -> HostMemory:
    """Treat fresh memory as asked for, or let go of it."""
    try:
        if huge_pages:
            hint(memory, mmap.MADV_HUGEPAGE)
        options.apply(name, memory)
    except BaseException:
        memory.abandon()
        raise
    return memory
