"""Cached access: a window on memory that a device reads and writes all the time.

This is QEMU's ``MemoryRegionCache``: rings and descriptors are looked up once and pinned. Every
later access is a bounds check and a copy. A window that is not plain memory still works, at the
price of an ordinary access each time.
"""

from __future__ import annotations

from struct import Struct
from types import TracebackType
from typing import TYPE_CHECKING, Self

from guestmap.base import ConfigError
from guestmap.memory.access.mapping import pinned_run
from guestmap.memory.map.checks import whole
from guestmap.memory.map.ops import ATTRS_UNSPECIFIED, MemTxResult
from guestmap.memory.ram.host import NO_CELLS

if TYPE_CHECKING:
    from guestmap.memory.access.address_space import AddressSpace

_SCALARS = {1: Struct("<B"), 2: Struct("<H"), 4: Struct("<I"), 8: Struct("<Q")}
_MASKS = {size: (1 << 8 * size) - 1 for size in _SCALARS}


class MemoryRegionCache:
    """A window on an address space. Close it, or use it in a ``with`` statement.

    The window goes on showing the memory that was there when it was made: see :attr:`stale`.

    Attributes:
        address: of the window, in bytes.
        length: bytes of it; perhaps less than was asked for.
        is_write: whether it may be written.
        direct: whether accesses go straight to host memory.
    """

    __slots__ = (
        "_cells",
        "_run",
        "_space",
        "_start",
        "_view",
        "address",
        "direct",
        "is_write",
        "length",
    )

    def __init__(self, space: AddressSpace, address: int, length: int, is_write: bool) -> None:
        if length <= 0:
            raise ConfigError(f"a cache of 0x{address:x} needs a length, not {length}")
        self._space = space
        self._view = space.view
        self._run = pinned_run(space, address, length, is_write, ATTRS_UNSPECIFIED)
        self._cells = NO_CELLS
        self._start = 0
        self.direct = self._run is not None
        self.address = address
        self.length = length
        self.is_write = is_write
        if self._run is not None:
            self._cells, self._start = self._run.block.cells, self._run.offset
            self.length = self._run.length

    @property
    def stale(self) -> bool:
        """Whether the address space has changed since: a device that cares makes a new one."""
        return self._space.view is not self._view

    def load(self, offset: int, size: int) -> int:
        """Return ``size`` bytes (1, 2, 4 or 8) at ``offset`` of the window, little-endian.

        Raises:
            ConfigError: another size; they are not all in the window, or it is closed.
        """
        self._check_size(offset, size)
        if offset < 0 or offset + size > self.length:
            raise self._outside(offset, size)
        if self.direct:
            value: int = _SCALARS[size].unpack_from(self._cells, self._start + offset)[0]
            return value
        return self._space.load(self.address + offset, size)

    def store(self, offset: int, size: int, value: int) -> MemTxResult:
        """Write the low ``size`` bytes (1, 2, 4 or 8) of ``value``, little-endian.

        Raises:
            ConfigError: they are not all in the window, or it is closed or made for reading.
        """
        self._check_size(offset, size)
        self._check_write(offset, size)
        if whole(value) is None:
            raise ConfigError(
                f"the cache of 0x{self.address:x}: cannot store {value!r}: give a whole number"
            )
        if self._run is None:
            return self._space.store(self.address + offset, size, value)
        _SCALARS[size].pack_into(self._cells, self._start + offset, value & _MASKS[size])
        if self._run.block.watched:
            self._run.block.written(self._run.offset + offset, size)
        return MemTxResult.OK

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes at ``offset`` of the window.

        Raises:
            ConfigError: they are not all in the window, or it is closed.
        """
        if min(offset, length) < 0 or offset + length > self.length:
            raise self._outside(offset, length)
        if self.direct:
            start = self._start + offset
            return self._cells[start : start + length]
        return self._space.read(self.address + offset, length)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> MemTxResult:
        """Write ``data`` at ``offset`` of the window.

        Raises:
            ConfigError: it does not all fit, or the window is closed or made for reading.
        """
        data = memoryview(data).cast("B")
        self._check_write(offset, len(data))
        if self._run is None:
            return self._space.write(self.address + offset, data)
        start = self._start + offset
        self._run.block.buffer[start : start + len(data)] = data
        if self._run.block.watched:
            self._run.block.written(start, len(data))
        return MemTxResult.OK

    def close(self) -> None:
        """Let go of the memory: the window has no bytes any more. Closing again does nothing."""
        run, self._run = self._run, None
        self.length = 0
        self._cells = NO_CELLS
        if run is not None:
            run.block.unpin()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _check_size(self, offset: int, size: int) -> None:
        if size not in _SCALARS:
            raise ConfigError(
                f"the cache of 0x{self.address:x}: {size} bytes at 0x{offset:x} are no number: one"
                " has 1, 2, 4 or 8"
            )

    def _check_write(self, offset: int, length: int) -> None:
        if offset < 0 or offset + length > self.length:
            raise self._outside(offset, length)
        if not self.is_write:
            raise ConfigError(f"the cache of 0x{self.address:x} was made for reading")

    def _outside(self, offset: int, length: int) -> ConfigError:
        return ConfigError(
            f"0x{length:x} bytes at 0x{offset:x} are outside the cache of 0x{self.address:x},"
            f" which has 0x{self.length:x}"
        )
