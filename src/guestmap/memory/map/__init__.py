"""The map: the tree of regions, its rendering into flat views, and the commit that changes them."""

from guestmap.memory.map.discard import RamDiscardListener, RamDiscardManager
from guestmap.memory.map.flat_range import FlatRange
from guestmap.memory.map.flatview import FlatView
from guestmap.memory.map.guard import DeviceGuards, ReentryBlocked
from guestmap.memory.map.history import AddressChange, CommitRecord, ListenerWork, ViewChange
from guestmap.memory.map.iommu import Iommu, IommuNotifier, IommuTranslator
from guestmap.memory.map.iommu_entry import IommuEntry, IommuNotify, IommuPerm
from guestmap.memory.map.ops import (
    ATTRS_UNSPECIFIED,
    UNASSIGNED_IO_OPS,
    UNASSIGNED_MEM_OPS,
    AccessSizes,
    Endianness,
    MemoryRegionOps,
    MemTxAttrs,
    MemTxResult,
)
from guestmap.memory.map.region import MemoryRegion
from guestmap.memory.map.render import render
from guestmap.memory.map.section import MemoryRegionSection

__all__ = [
    "ATTRS_UNSPECIFIED",
    "UNASSIGNED_IO_OPS",
    "UNASSIGNED_MEM_OPS",
    "AccessSizes",
    "AddressChange",
    "CommitRecord",
    "DeviceGuards",
    "Endianness",
    "FlatRange",
    "FlatView",
    "Iommu",
    "IommuEntry",
    "IommuNotifier",
    "IommuNotify",
    "IommuPerm",
    "IommuTranslator",
    "ListenerWork",
    "MemTxAttrs",
    "MemTxResult",
    "MemoryRegion",
    "MemoryRegionOps",
    "MemoryRegionSection",
    "RamDiscardListener",
    "RamDiscardManager",
    "ReentryBlocked",
    "ViewChange",
    "render",
]
