"""Unicorn, QEMU's TCG as a library (a separate installation, GPLv2).

:mod:`guestmap.accel.unicorn.accelerator` has the PC's CPU; :func:`attach` puts an address space in
front of any ``Uc`` of your own, and imports nothing of that. What it takes, the PC does without:
the front is imported when it is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guestmap.accel.unicorn.front import Front, UnmappedAccess, UnmappedError, attach

__all__ = ["Front", "UnmappedAccess", "UnmappedError", "attach"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from guestmap.accel.unicorn import front

    return getattr(front, name)
