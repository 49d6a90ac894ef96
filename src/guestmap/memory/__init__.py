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
from guestmap.memory.flatview import FlatRange, FlatView
from guestmap.memory.history import AddressChange, CommitRecord, ViewChange
from guestmap.memory.listener import (
    PRIORITY_ACCEL,
    PRIORITY_DEV_BACKEND,
    PRIORITY_MIN,
    MemoryListener,
    MemoryRegionSection,
)
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
from guestmap.memory.ram import RamBlock, RamList
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
    "CommitRecord",
    "Endianness",
    "FlatRange",
    "FlatView",
    "MemTxAttrs",
    "MemTxResult",
    "MemoryListener",
    "MemoryRegion",
    "MemoryRegionOps",
    "MemoryRegionSection",
    "MemorySystem",
    "RamBlock",
    "RamList",
    "ViewChange",
    "render",
]
