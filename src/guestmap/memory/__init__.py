"""The memory model: a tree of regions, rendered into the flat view that a guest sees.

>>> from guestmap.memory import MemorySystem
>>> memory = MemorySystem()
>>> system = memory.container("system", 1 << 64)
>>> system.add_subregion(0, memory.ram("pc.ram", 0x100000))
>>> space = memory.address_space("memory", system)
>>> space.write(0x7C00, b"boot")
<MemTxResult.OK: 0>
>>> space.read(0x7C00, 4)
b'boot'
"""

from guestmap.memory.address_space import AddressSpace
from guestmap.memory.cache import MemoryRegionCache
from guestmap.memory.dirty import DirtyClient, DirtyLog, DirtySnapshot
from guestmap.memory.discard import RamDiscardListener, RamDiscardManager
from guestmap.memory.discard_rules import DiscardHold, DiscardRules
from guestmap.memory.flatview import FlatRange, FlatView
from guestmap.memory.guard import DeviceGuards, ReentryBlocked
from guestmap.memory.history import AddressChange, CommitRecord, ListenerWork, ViewChange
from guestmap.memory.host import (
    AnonymousRam,
    BufferRam,
    FileRam,
    HostMemory,
    MemfdRam,
    NumaPolicy,
    RamBackend,
    RamOptions,
)
from guestmap.memory.ioeventfd import EventNotifier, IoEventFd
from guestmap.memory.iommu import (
    Iommu,
    IommuEntry,
    IommuNotifier,
    IommuNotify,
    IommuPerm,
    IommuTranslator,
)
from guestmap.memory.listener import (
    PRIORITY_ACCEL,
    PRIORITY_DEV_BACKEND,
    PRIORITY_MIN,
    MemoryListener,
    MemoryRegionSection,
)
from guestmap.memory.mapping import BouncePool, Mapping
from guestmap.memory.ops import (
    ATTRS_UNSPECIFIED,
    UNASSIGNED_IO_OPS,
    UNASSIGNED_MEM_OPS,
    AccessSizes,
    Endianness,
    MemoryRegionOps,
    MemTxAttrs,
    MemTxResult,
)
from guestmap.memory.ram import RamBlock, RamBlockNotifier, RamList
from guestmap.memory.region import MemoryRegion
from guestmap.memory.render import render
from guestmap.memory.system import MemorySystem

__all__ = [
    "ATTRS_UNSPECIFIED",
    "PRIORITY_ACCEL",
    "PRIORITY_DEV_BACKEND",
    "PRIORITY_MIN",
    "UNASSIGNED_IO_OPS",
    "UNASSIGNED_MEM_OPS",
    "AccessSizes",
    "AddressChange",
    "AddressSpace",
    "AnonymousRam",
    "BouncePool",
    "BufferRam",
    "CommitRecord",
    "DeviceGuards",
    "DirtyClient",
    "DirtyLog",
    "DirtySnapshot",
    "DiscardHold",
    "DiscardRules",
    "Endianness",
    "EventNotifier",
    "FileRam",
    "FlatRange",
    "FlatView",
    "HostMemory",
    "IoEventFd",
    "Iommu",
    "IommuEntry",
    "IommuNotifier",
    "IommuNotify",
    "IommuPerm",
    "IommuTranslator",
    "ListenerWork",
    "Mapping",
    "MemTxAttrs",
    "MemTxResult",
    "MemfdRam",
    "MemoryListener",
    "MemoryRegion",
    "MemoryRegionCache",
    "MemoryRegionOps",
    "MemoryRegionSection",
    "MemorySystem",
    "NumaPolicy",
    "RamBackend",
    "RamBlock",
    "RamBlockNotifier",
    "RamDiscardListener",
    "RamDiscardManager",
    "RamList",
    "RamOptions",
    "ReentryBlocked",
    "ViewChange",
    "render",
]
