"""RAM: blocks, the host memory behind them, pages that were written, what may be discarded."""

from guestmap.memory.ram.block import RamBlock, RamBlockNotifier
from guestmap.memory.ram.block_list import RamList
from guestmap.memory.ram.dirty import DirtyClient, DirtyLog, DirtySnapshot
from guestmap.memory.ram.discard_rules import DiscardHold, DiscardRules
from guestmap.memory.ram.host import (
    AnonymousRam,
    BufferRam,
    FileRam,
    HostMemory,
    MemfdRam,
    NumaPolicy,
    RamBackend,
    RamOptions,
)

__all__ = [
    "AnonymousRam",
    "BufferRam",
    "DirtyClient",
    "DirtyLog",
    "DirtySnapshot",
    "DiscardHold",
    "DiscardRules",
    "FileRam",
    "HostMemory",
    "MemfdRam",
    "NumaPolicy",
    "RamBackend",
    "RamBlock",
    "RamBlockNotifier",
    "RamList",
    "RamOptions",
]
