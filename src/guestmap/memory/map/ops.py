"""What a device tells the memory system about a region that it answers itself.

Names and rules follow QEMU's ``MemoryRegionOps`` (QEMU docs/devel/memory.rst, "MMIO Operations").
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, IntFlag

from guestmap.base import ConfigError
from guestmap.base.dataclass import dataclass
from guestmap.base.named_tuple import NamedTuple

_SIZES = frozenset({0, 1, 2, 4, 8})


class MemTxResult(IntFlag):
    """How an access ended; the results of the pieces of one access are OR-ed."""

    OK = 0
    ERROR = 1
    """The device answered with an error."""
    DECODE_ERROR = 2
    """Nobody is at the address, or whoever is there refuses this size or alignment."""
    ACCESS_ERROR = 4
    """The access was refused for what it is (a memory-only access to a device, re-entry)."""


class MemTxAttrs(NamedTuple):
    """What an access carries beside address and data."""

    secure: bool = False
    user: bool = False
    memory: bool = False
    """The access may go to RAM only; a device answers ACCESS_ERROR."""
    debug: bool = False
    """A debugger's access: writes reach ROM too."""
    requester_id: int = 0
    unspecified: bool = False


ATTRS_UNSPECIFIED = MemTxAttrs(unspecified=True)


class Endianness(Enum):
    """Byte order of a device's registers; NATIVE is the target's (little for a PC)."""

    NATIVE = "native"
    LITTLE = "little"
    BIG = "big"


@dataclass(frozen=True, slots=True)
class AccessSizes:
    """Which access sizes, in bytes, a callback takes; 0 stands for QEMU's default.

    As ``valid``: a guest access outside is refused with DECODE_ERROR (``max`` 0 accepts all).
    As ``impl``: an access outside is split or widened to fit (``min`` 0 is 1, ``max`` 0 is 4).

    Raises:
        ConfigError: a size that is not 0, 1, 2, 4 or 8, or ``min`` above ``max``.
    """

    min: int = 0
    max: int = 0
    unaligned: bool = False
    accepts: Callable[[int, int, bool, MemTxAttrs], bool] | None = None
    """``(offset, size, is_write, attrs) -> bool``, asked before the sizes (``valid`` only)."""

    def __post_init__(self) -> None:
        if not {self.min, self.max} <= _SIZES or self.min > (self.max or self.min):
            raise ConfigError(
                f"access sizes {self.min} to {self.max} are impossible: give 1, 2, 4 or 8 bytes"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRegionOps:
    """The callbacks of an I/O region and their rules; a missing callback reads 0, ignores writes.

    Offsets count from the start of the region. A read's value may have more bits than asked for;
    only the low ``8 * size`` are used. The plain forms always end with ``MemTxResult.OK``.

    Raises:
        ConfigError: a callback that cannot be called.
    """

    read: Callable[[int, int], int] | None = None
    """``(offset, size) -> value``"""
    write: Callable[[int, int, int], None] | None = None
    """``(offset, value, size)``"""
    read_with_attrs: Callable[[int, int, MemTxAttrs], tuple[int, MemTxResult]] | None = None
    write_with_attrs: Callable[[int, int, int, MemTxAttrs], MemTxResult] | None = None
    endianness: Endianness = Endianness.NATIVE
    valid: AccessSizes = AccessSizes()
    impl: AccessSizes = AccessSizes()
    like_memory: bool = False
    """Many of its addresses are accessed, one after the other, as memory's are: how that is done is
    remembered once for a page."""
    write_run: Callable[[int, bytes], bool] | None = None
    """``(offset, bytes) -> whether it was done``: write them one by one, where that changes nothing
    but what is read there."""
    move_run: Callable[[int, int, int, int], bool] | None = None
    """``(to, from, count, size) -> whether it was done``: read so many times ``size`` bytes, and
    write each before the next is read; none is written that is read after that."""

    def __post_init__(self) -> None:
        for name in (
            "read",
            "write",
            "read_with_attrs",
            "write_with_attrs",
            "write_run",
            "move_run",
        ):
            callback = getattr(self, name)
            if callback is not None and not callable(callback):
                raise ConfigError(f"the callback {name!r} is {callback!r}: give a function")


UNASSIGNED_IO_OPS = MemoryRegionOps(
    read=lambda _offset, size: (1 << (8 * size)) - 1, write=lambda _offset, _value, _size: None
)
"""Ports that nobody answers: reads are all ones, writes vanish, both without an error."""


def _nobody_read(_offset: int, _size: int, _attrs: MemTxAttrs) -> tuple[int, MemTxResult]:
    return 0, MemTxResult.DECODE_ERROR


def _nobody_write(_offset: int, _value: int, _size: int, _attrs: MemTxAttrs) -> MemTxResult:
    return MemTxResult.DECODE_ERROR


UNASSIGNED_MEM_OPS = MemoryRegionOps(
    read_with_attrs=_nobody_read, write_with_attrs=_nobody_write, valid=AccessSizes(1, 8, True)
)
"""Memory that nobody answers: reads are 0, and both directions end with DECODE_ERROR."""
