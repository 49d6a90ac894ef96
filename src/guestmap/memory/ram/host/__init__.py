"""Host memory behind a guest's RAM: where it comes from, how it is treated, when it goes.

A *back-end* (:class:`AnonymousRam`, :class:`FileRam`, :class:`MemfdRam`, :class:`BufferRam`) says
where memory comes from; :class:`RamOptions` how the host treats its pages. Both are plain values
named after the properties of QEMU's ``memory-backend-*`` objects. What they allocate is a
:class:`HostMemory`: one mapping, which is unmapped when nobody can reach it any more.
"""

from guestmap.memory.ram.host.backends import AnonymousRam, BufferRam, FileRam, RamBackend
from guestmap.memory.ram.host.host_memory import NO_CELLS, HostMemory
from guestmap.memory.ram.host.memfd import MemfdRam
from guestmap.memory.ram.host.options import NumaPolicy, RamOptions

__all__ = [
    "NO_CELLS",
    "AnonymousRam",
    "BufferRam",
    "FileRam",
    "HostMemory",
    "MemfdRam",
    "NumaPolicy",
    "RamBackend",
    "RamOptions",
]
