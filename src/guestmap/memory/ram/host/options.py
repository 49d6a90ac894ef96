"""How the host treats the pages of guest RAM: the properties that all memory back-ends share.

Names, defaults and error texts are those of QEMU's ``memory-backend-*`` objects (QEMU QMP
reference, ``MemoryBackendProperties``).
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from enum import Enum
from errno import EINVAL
from typing import TYPE_CHECKING

from guestmap.base import MIB, ConfigError, HostError
from guestmap.base.dataclass import dataclass
from guestmap.memory.ram.host import libc
from guestmap.memory.ram.host.host_memory import HostMemory

if TYPE_CHECKING:
    from concurrent.futures import Future

_CHUNK = 64 * MIB
"""Bytes that one call preallocates: progress is told after each."""

_MOST_THREADS = 16
"""More than that many get no faster; QEMU has the same bound, and that of the host's CPUs."""


class NumaPolicy(Enum):
    """From which host NUMA nodes memory comes; values as in mbind(2)."""

    DEFAULT = 0
    PREFERRED = 1
    BIND = 2
    INTERLEAVE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RamOptions:
    """How the host treats the pages of one piece of RAM.

    Attributes:
        merge: let the kernel merge pages of equal content, its own and other processes' (KSM).
        dump: take the memory into core dumps.
        prealloc: have all pages filled in now, so that no later access can fail or wait.
        prealloc_threads: how many threads do that; never more than the host has CPUs, nor 16.
        progress: called ``(done, total)`` in bytes, by the thread that allocates, as they do.
        reserve: have the host promise the memory now; without, an access may fail later.
        policy, host_nodes: from which NUMA nodes the pages come.

    Raises:
        ConfigError: the values contradict each other.
    """

    merge: bool = True
    dump: bool = True
    prealloc: bool = False
    prealloc_threads: int = 1
    progress: Callable[[int, int], None] | None = None
    reserve: bool = True
    policy: NumaPolicy = NumaPolicy.DEFAULT
    host_nodes: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        problem = ""
        if self.prealloc and not self.reserve:
            problem = "'prealloc=on' and 'reserve=off' are incompatible"
        elif self.prealloc_threads < 1:
            problem = f"property 'prealloc-threads' is {self.prealloc_threads}: give at least 1"
        elif self.host_nodes and self.policy is NumaPolicy.DEFAULT:
            problem = (
                "host-nodes must be empty for policy default, or you should explicitly specify"
                " a policy other than default"
            )
        elif not self.host_nodes and self.policy is not NumaPolicy.DEFAULT:
            problem = f"host-nodes must be set for policy {self.policy.name.lower()}"
        elif any(not 0 <= node < 1024 for node in self.host_nodes):
            problem = f"host-nodes {sorted(self.host_nodes)}: a node is a number from 0 to 1023"
        if problem:
            raise ConfigError(problem)

    def apply(self, name: str, memory: HostMemory) -> None:
        """Treat the whole of ``memory`` so.

        Args:
            name: of the RAM, for messages.
            memory: fresh memory.

        Raises:
            HostError: the host lacks the nodes, or the pages to preallocate.
        """
        if self.merge:
            hint(memory, mmap.MADV_MERGEABLE)
        if not self.dump:
            hint(memory, mmap.MADV_DONTDUMP)
        if self.policy is not NumaPolicy.DEFAULT:
            libc.mbind(memory.address, len(memory.buffer), self.policy.value, self.host_nodes)
        if self.prealloc:
            preallocate(name, memory, self.prealloc_threads, self.progress)


def hint(memory: HostMemory, advice: int) -> None:
    """Give an advice that a kernel may have been built without (EINVAL, madvise(2))."""
    try:
        memory.advise(advice)
    except HostError as error:
        if error.errno != EINVAL:
            raise


def preallocate(
    name: str, memory: HostMemory, threads: int, progress: Callable[[int, int], None] | None
) -> None:
    """Have the host fill in all pages, in pieces that several threads share.

    Raises:
        HostError: pages are missing (a full file system, too few huge pages), or the kernel is
            older than Linux 5.14. No signal ends the process, unlike when a page is touched.
    """
    from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

    threads = min(threads, os.cpu_count() or 1, _MOST_THREADS)
    total = len(memory.buffer)
    advice = libc.MADV_POPULATE_READ if memory.readonly else libc.MADV_POPULATE_WRITE
    starts = iter(range(0, total, _CHUNK))
    running: dict[Future[None], int] = {}
    done = 0
    with ThreadPoolExecutor(threads, thread_name_prefix=f"prealloc-{name}") as pool:
        while True:
            for start in starts:  # as many as there are threads: an error stops the rest
                length = min(_CHUNK, total - start)
                running[pool.submit(memory.advise, advice, offset=start, length=length)] = length
                if len(running) >= threads:
                    break
            if not running:
                return
            for piece in wait(running, return_when=FIRST_COMPLETED).done:
                done += running.pop(piece)
                _check(name, piece)
                if progress is not None:
                    progress(done, total)


def _check(name: str, piece: Future[None]) -> None:
    """Raise what a piece failed with, as a sentence about preallocation."""
    error = piece.exception()
    if isinstance(error, HostError):
        raise HostError(
            f"preallocating memory failed for '{name}'",
            errno=error.errno,
            call=error.call,
            arguments=error.arguments,
        ) from error
    piece.result()
