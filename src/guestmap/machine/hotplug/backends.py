"""Memory back-ends as objects: ``memory-backend-ram``, ``-file`` and ``-memfd``.

Properties, the moments at which they may change, and the refusals are those of QEMU 7.2
(backends/hostmem*.c; QMP reference, ``MemoryBackendProperties``). The memory itself is
:mod:`guestmap.memory.ram.host`'s.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from guestmap.base import ConfigError, StateError, UnsupportedError
from guestmap.machine.hotplug.backend_properties import (
    common_properties,
    file_properties,
    memfd_properties,
)
from guestmap.memory import MemoryRegion, MemorySystem
from guestmap.memory.ram import FileRam, MemfdRam, NumaPolicy, RamOptions
from guestmap.memory.ram.host import AnonymousRam, HostMemory, RamBackend
from guestmap.qom import Object, ObjectType, Property, TypeTable

if TYPE_CHECKING:
    from guestmap.qom import JsonValue

Progress = Callable[[str, int, int], None]
"""Called (id, done, total) in bytes while pages are filled in."""


class MemoryBackend(Object):
    """Host memory that a DIMM, or the machine itself, can be made of.

    Attributes:
        system: whose memory it is.
        progress: hears how preallocation gets on.
        prealloc_threads: how many threads fill pages in.
        region: the memory, from :meth:`complete` on.
        mapped: whether the machine uses it: it cannot be deleted then.
    """

    system: MemorySystem
    progress: Progress
    prealloc_threads = 1
    shares = False

    def __init__(self, type: ObjectType, types: TypeTable) -> None:  # noqa: A002
        super().__init__(type, types)
        self.region: MemoryRegion | None = None
        self.mapped = False
        self.size = 0
        self.share = self.shares
        self.host_nodes: list[int] = []

    def complete(self) -> None:
        """Make the memory.

        Raises:
            ConfigError: the properties do not go together.
            HostError: the host refused; nothing is left behind.
        """
        if not self.size:
            raise ConfigError("can't create backend with size 0")
        source = self.source()
        self.region = self.system.ram(self.block_name, self.size, backend=source, owner=self)
        self.mark_unused()

    def adopt(self, region: MemoryRegion) -> None:
        """Stand for memory that the machine has made for itself, and uses."""
        self.region, self.size, self.mapped = region, region.size, True

    def source(self) -> RamBackend:
        """Return what the properties describe, as a value."""
        raise NotImplementedError

    def options(self) -> RamOptions:
        """Return how the host is to treat the pages."""
        read: Any = self.get
        return RamOptions(
            merge=read("merge"),
            dump=read("dump"),
            prealloc=read("prealloc"),
            prealloc_threads=read("prealloc-threads"),
            progress=self.told,
            reserve=read("reserve"),
            policy=NumaPolicy[read("policy").upper()],
            host_nodes=frozenset(self.host_nodes),
        )

    def told(self, done: int, total: int) -> None:
        """Hand on how preallocation gets on, in bytes."""
        self.progress(self.name, done, total)

    @property
    def block_name(self) -> str:
        """What region and RAM block are called."""
        return self.path if self.get("x-use-canonical-path-for-ramblock-id") else self.name

    @property
    def host(self) -> HostMemory | None:
        """The host's memory behind it, once there is some."""
        block = self.region.ram_block if self.region is not None else None
        return block.host if block is not None else None

    @property
    def alignment(self) -> int:
        """What its address in the guest should be a multiple of, in bytes."""
        block = self.region.ram_block if self.region is not None else None
        return block.align if block is not None else mmap.PAGESIZE

    def mark_used(self) -> None:
        """Note that the machine uses the memory; its RAM block gets a name (for migration)."""
        self.mapped = True
        if self.region is not None and self.region.ram_block is not None:
            self.region.ram_block.name = self.region.name

    def mark_unused(self) -> None:
        """Note that the machine does not use the memory (any more)."""
        self.mapped = False
        if self.region is not None and self.region.ram_block is not None:
            self.region.ram_block.name = ""

    def describe(self) -> dict[str, JsonValue]:
        """Return the back-end as QMP's ``Memdev``."""
        names = ("share", "reserve", "prealloc", "host-nodes", "size", "merge", "dump", "policy")
        return {name: self.get(name) for name in names} | ({"id": self.name} if self.name else {})

    def finalize(self) -> None:
        """Give the host's memory back, after its last user."""
        region, self.region = self.region, None
        if region is not None and not self.system.closed:
            self.system.free(region)


class RamBackendObject(MemoryBackend):
    """``memory-backend-ram``."""

    def source(self) -> RamBackend:
        """Return memory without a file."""
        return AnonymousRam(share=self.share, options=self.options())


class FileBackendObject(MemoryBackend):
    """``memory-backend-file``."""

    def source(self) -> RamBackend:
        """Return memory from a file."""
        read: Any = self.get
        if read("pmem"):
            raise UnsupportedError("pmem=on is not modelled: leave it out")
        return FileRam(
            path=read("mem-path") or "",
            align=read("align"),
            share=read("share"),
            readonly=read("readonly"),
            discard_data=read("discard-data"),
            options=self.options(),
        )


class MemfdBackendObject(MemoryBackend):
    """``memory-backend-memfd``."""

    shares = True

    def source(self) -> RamBackend:
        """Return memory from a file that is only in memory.

        Raises:
            ConfigError: QEMU makes the file of that size, and maps whole pages.
        """
        read: Any = self.get
        pages = -(-self.size // mmap.PAGESIZE) * mmap.PAGESIZE
        if pages != self.size:
            raise ConfigError(
                f"backing store size 0x{self.size:x} does not match 'size' option 0x{pages:x}"
            )
        return MemfdRam(
            share=read("share"),
            hugetlb=read("hugetlb"),
            hugetlb_size=read("hugetlbsize"),
            seal=read("seal"),
            options=self.options(),
        )


def backend_types(system: MemorySystem, progress: Progress, *, cpus: int) -> tuple[ObjectType, ...]:
    """Return the types of back-ends, whose objects are memory of ``system``.

    Args:
        system: the machine's.
        progress: hears how preallocation gets on.
        cpus: the guest has; as many threads preallocate where nothing else is said.
    """

    def make(kind: type[MemoryBackend]) -> Callable[[ObjectType, TypeTable], Object]:
        def new(type_: ObjectType, types: TypeTable) -> Object:
            backend = kind(type_, types)
            backend.system, backend.progress = system, progress
            backend.prealloc_threads = cpus
            return backend

        return new

    def concrete(
        name: str, kind: type[MemoryBackend], properties: tuple[Property, ...] = ()
    ) -> ObjectType:
        return ObjectType(
            f"memory-backend-{name}", "memory-backend", make=make(kind), properties=properties
        )

    return (
        ObjectType("thread-context", abstract=True),
        ObjectType(
            "memory-backend",
            abstract=True,
            interfaces=("user-creatable",),
            properties=common_properties(),
        ),
        concrete("ram", RamBackendObject),
        concrete("file", FileBackendObject, file_properties()),
        concrete("memfd", MemfdBackendObject, memfd_properties()),
    )


def refuse_deletion(backend: MemoryBackend, id_: str) -> None:
    """Raise if the machine uses the memory.

    Raises:
        StateError: it does; QEMU's text.
    """
    if backend.mapped:
        raise StateError(f"object '{id_}' is in use, can not be deleted")
