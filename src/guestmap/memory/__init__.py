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

from guestmap.memory.access.address_space import AddressSpace
from guestmap.memory.hear.listener import MemoryListener
from guestmap.memory.map.flat_range import FlatRange
from guestmap.memory.map.flatview import FlatView
from guestmap.memory.map.ops import (
    AccessSizes,
    Endianness,
    MemoryRegionOps,
    MemTxAttrs,
    MemTxResult,
)
from guestmap.memory.map.region import MemoryRegion
from guestmap.memory.map.section import MemoryRegionSection
from guestmap.memory.system import MemorySystem

__all__ = [
    "AccessSizes",
    "AddressSpace",
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
]
