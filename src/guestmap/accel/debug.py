"""Watching a CPU at work: each access in a range as it happens, and stops at an instruction.

Nothing of this costs anything while nothing is watched.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import TYPE_CHECKING

from guestmap.base.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from guestmap.memory import FlatView


class WatchKind(StrEnum):
    """What may be done at an address."""

    READ = "r"
    WRITE = "w"
    EXECUTE = "x"


class GuestAccess(NamedTuple):
    """An access by the guest.

    Attributes:
        kind: what it does.
        address: of its first byte: physical; of an instruction, linear.
        size: bytes.
        value: what is read or written; None of an instruction.
        region: who answers, as the map is at that moment; "" for nobody.
        offset: in that region.
        cs, ip: of the instruction: selector, and offset in the segment.
        exact: ``ip`` is the instruction's own; else that of the one after it.
    """

    kind: WatchKind
    address: int
    size: int
    value: int | None
    region: str
    offset: int
    cs: int
    ip: int
    exact: bool = True


class Watchpoint(NamedTuple):
    """A range that is watched.

    Attributes:
        first, last: its addresses: physical; where instructions are watched, linear.
        kinds: what of it is told.
        hear: told of each access, in the CPU's thread: a write before it is done, a read with what
            it gets, an instruction before it is executed. True stops the CPU: before the
            instruction that was to be executed, or after the one that has read or written.
        may_stop: whether ``hear`` ever says True; where it does, each instruction costs more.
    """

    first: int
    last: int
    kinds: frozenset[WatchKind]
    hear: Callable[[GuestAccess], bool]
    may_stop: bool = True

    def covers(self, address: int, size: int) -> bool:
        """Tell whether an access has a byte in it."""
        return address <= self.last and self.first < address + size


class CpuProbe(ABC):
    """Watches one CPU, which must be outside the guest whenever it is told what to watch."""

    @abstractmethod
    def watch(self, points: Collection[Watchpoint], *, stepping: bool = False) -> None:
        """Watch these ranges, and no others, from now on.

        A CPU that stops ends its run with :attr:`ExitReason.DEBUG`.

        Args:
            points: the ranges.
            stepping: the next run stops after one instruction, or one round of a repeated one.

        Raises:
            StateError: the CPU is in the guest.
        """


def access_of(
    view: FlatView,
    kind: WatchKind,
    address: int,
    size: int,
    value: int | None,
    instruction: tuple[int, int],
) -> GuestAccess:
    """Return an access, with who answers at its address.

    Args:
        view: what the CPU sees.
        kind: what it does.
        address: of its first byte.
        size: bytes.
        value: what is read or written; None of an instruction.
        instruction: selector, and offset in the segment.
    """
    found = view.find(address)
    if found is None:
        return GuestAccess(kind, address, size, value, "", 0, *instruction)
    offset = found.offset_in_region + address - found.start
    return GuestAccess(kind, address, size, value, found.region.name, offset, *instruction)
