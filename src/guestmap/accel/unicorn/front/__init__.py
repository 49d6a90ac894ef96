"""A memory system in front of any Unicorn: :func:`attach` an address space to a ``Uc``.

No part of the PC's own engine is imported, and nothing is asked of the CPU but what Unicorn can do
on every architecture.
"""

from guestmap.accel.unicorn.front.front import Front, attach
from guestmap.accel.unicorn.front.unmapped import UnmappedAccess, UnmappedError

__all__ = ["Front", "UnmappedAccess", "UnmappedError", "attach"]
