"""Unicorn, QEMU's TCG as a library (a separate installation, GPLv2).

:mod:`guestmap.accel.unicorn.accelerator` has the PC's CPU; :func:`attach` puts an address space in
front of any ``Uc`` of your own, and imports nothing of that.
"""

from guestmap.accel.unicorn.front import Front, UnmappedAccess, UnmappedError, attach

__all__ = ["Front", "UnmappedAccess", "UnmappedError", "attach"]
