"""What an accelerator that maps whole runs of pages has mapped, for people."""

from __future__ import annotations

from typing import NamedTuple


class MemorySlot(NamedTuple):
    """A run of guest-physical pages that the guest reaches without an exit.

    Attributes:
        number: the slot's.
        start: guest-physical.
        size: bytes.
        host: where its memory is in this process.
        readonly: writes come out.
        logged: pages that the guest writes are noted.
        dirty: how many are noted and not taken yet; None where to look would be to take them.
    """

    number: int
    start: int
    size: int
    host: int
    readonly: bool
    logged: bool
    dirty: int | None = None
