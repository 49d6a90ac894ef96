"""Accesses through the map: address spaces, dispatch to devices, copies, translation, mappings."""

from guestmap.memory.access.address_space import AddressSpace
from guestmap.memory.access.bounce import BouncePool
from guestmap.memory.access.cache import MemoryRegionCache
from guestmap.memory.access.mapping import Mapping

__all__ = [
    "AddressSpace",
    "BouncePool",
    "Mapping",
    "MemoryRegionCache",
]
