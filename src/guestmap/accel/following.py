"""Following a CPU: its mode, its stack and its interrupt flag, whenever one of them is another.

Nothing of this costs anything while nobody follows. No symbols are needed: what is told is state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from guestmap.base.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

FRAME = 2048
"""Bytes: a stack pointer that moves further at once has hopped to another stack."""


class CpuLook(NamedTuple):
    """What a CPU is like as it begins a piece of straight code.

    Attributes:
        address: of the code, linear.
        bits: the width of the code: 16, 32 or 64.
        is_big: it is 16-bit code whose data segments reach further than 64 KiB.
        in_smm: it is in system management mode.
        takes_interrupts: its interrupt flag is set.
        stack: where its stack ends, linear.
        before: where the stack ended before that.
        low, high: the least and the most that this was since the last look.
    """

    address: int
    bits: int
    is_big: bool
    in_smm: bool
    takes_interrupts: bool
    stack: int
    before: int
    low: int
    high: int


class CpuFollower(Protocol):
    """Who follows a CPU; called in the thread that runs it, and must not raise."""

    @property
    def places(self) -> Collection[tuple[int, int]]:
        """First and last addresses, linear: code that begins there is told of in any case."""

    def looked(self, look: CpuLook) -> None:
        """Hear of another mode, another stack, or another interrupt flag."""

    def reached(self, address: int, *, in_smm: bool) -> None:
        """Hear that code begins at one of the places."""

    def interrupted(self, vector: int) -> None:
        """Hear of a hardware interrupt that is taken."""
