"""The eyes: a machine's memory map as a value, as QEMU's text, and held to QEMU's answers.

Everything here works on a :class:`Snapshot`, whichever machine it came from.
"""

from guestmap.inspect.map.snapshot import (
    AddressSpaceInfo,
    RamBlockInfo,
    RangeInfo,
    RegionInfo,
    Snapshot,
    ViewInfo,
    ViewUser,
)

__all__ = [
    "AddressSpaceInfo",
    "RamBlockInfo",
    "RangeInfo",
    "RegionInfo",
    "Snapshot",
    "ViewInfo",
    "ViewUser",
]
