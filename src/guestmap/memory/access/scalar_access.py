"""Reading and writing numbers of 1, 2, 4 and 8 bytes through an address space.

How an access to a device's register is done is decided once for each view, address and size, and
remembered (:mod:`guestmap.memory.access.dispatch_cache`); RAM that was accessed last is remembered
as for bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeVar, cast

from guestmap.base import ConfigError
from guestmap.memory.access.byte_access import ByteAccess
from guestmap.memory.access.device import MASKS, access_size, no_number
from guestmap.memory.access.dispatch_cache import BLOCKED, plan_read, plan_write
from guestmap.memory.map.checks import whole
from guestmap.memory.map.ops import ATTRS_UNSPECIFIED, MemTxAttrs, MemTxResult

T = TypeVar("T")

OK = MemTxResult.OK


_SIZES = (1, 2, 4, 8)
_WRONG = (TypeError, IndexError, struct.error)


def _odd_size(*_args: object) -> tuple[int]:
    raise struct.error


def _by_size(of: Callable[[int], T], otherwise: T) -> tuple[T, ...]:
    """Return what belongs to numbers of that many bytes; a table is as fast as no check at all."""
    return tuple(of(size) if size in _SIZES else otherwise for size in range(64))


_CODES = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
_UNPACK: tuple[Callable[..., tuple[int]], ...] = _by_size(
    lambda size: struct.Struct(_CODES[size]).unpack_from, _odd_size
)
_PACK: tuple[Callable[..., object], ...] = _by_size(
    lambda size: struct.Struct(_CODES[size]).pack_into, _odd_size
)
_MASKS = _by_size(lambda size: (1 << (8 * size)) - 1, cast("int", None))


class ScalarAccess(ByteAccess):
    """The part of :class:`guestmap.memory.AddressSpace` that loads and stores numbers."""

    __slots__ = ()

    def load(self, address: int, size: int) -> int:
        """Return ``size`` bytes (1, 2, 4 or 8) as a little-endian number.

        What nobody answers reads as the region that is there says: 0 in memory, all ones in ports.

        Raises:
            ConfigError: another size, no whole numbers, or a device's callback returned none.
            StateError: the memory system is closed, as for every access.
        """
        view = self.source.view
        start, last, block, base = view.hot
        try:
            if start <= address <= last:
                return _UNPACK[size](block.cells, address - base)[0]  # type: ignore[union-attr]
            plan: Callable[[], int] | None = view.plans.get(address << 4 | size)
        except _WRONG:  # an odd size, no number, or the memory was reclaimed just now
            return self._first_load(address, size)
        if plan is not None:
            number = plan()
            try:
                return number & _MASKS[size]
            except (TypeError, IndexError):
                self._check_size("load", address, size)
                raise self.no_number(address, size, number) from None
        return self._first_load(address, size)

    def _first_load(self, address: int, size: int) -> int:
        """Decide how a load is done, remember that, and do it."""
        self._check_size("load", address, size)
        view = self.source.view
        found = view.find(address)
        if (
            found is not None
            and not (found.reads_directly or found.readonly)
            and found.region.iommu is None
        ):
            region, offset = found.region, found.offset_in_region + address - found.start
            if access_size(region, offset, size) == size:
                plan = plan_read(self.dispatch, view, address, region, offset, size)
                if plan is not None:
                    number = plan()
                    try:
                        return number & MASKS[size]
                    except TypeError:
                        raise no_number(region, offset, size, number) from None
        return self.load_result(address, size)[0]

    def load_result(
        self, address: int, size: int, attrs: MemTxAttrs = ATTRS_UNSPECIFIED
    ) -> tuple[int, MemTxResult]:
        """Like :meth:`load`, with the result.

        What a device has answered is remembered, as there.
        """
        self._check_size("load", address, size)
        view = self.source.view
        found = view.find(address)
        if found is not None and not found.reads_directly and found.region.iommu is None:
            region, offset = found.region, found.offset_in_region + address - found.start
            if access_size(region, offset, size) == size:
                value, result = self.dispatch.read(region, offset, size, attrs)
                if result is OK and not found.readonly:
                    plan_read(self.dispatch, view, address, region, offset, size)
                return value, result
        data = bytearray(size)
        result = self.read_into(address, data, attrs)
        return int.from_bytes(data, "little"), result

    def store(
        self, address: int, size: int, value: int, attrs: MemTxAttrs = ATTRS_UNSPECIFIED
    ) -> MemTxResult:
        """Write the low ``size`` bytes (1, 2, 4 or 8) of ``value``, little-endian.

        Raises:
            ConfigError: another size, or what are no whole numbers.
        """
        view = self.source.view
        start, last, block, base = view.hot_write
        try:
            if start <= address <= last:
                _PACK[size](block.cells, address - base, value)  # type: ignore[union-attr]
                if block.watched:  # type: ignore[union-attr]
                    block.written(address - base, size)  # type: ignore[union-attr]
                return OK
            if attrs is not ATTRS_UNSPECIFIED:
                return self._store(address, size, value, attrs)
            plan: Callable[[int, int], object] | None = view.plans.get(~(address << 4 | size))
            number = value & _MASKS[size]
        except _WRONG:  # as in load, or more bits than bytes
            return self._store(address, size, value, attrs)
        if plan is not None:
            return BLOCKED if plan(number, size) is BLOCKED else OK
        return self._store(address, size, value, attrs)

    def _store(self, address: int, size: int, value: int, attrs: MemTxAttrs) -> MemTxResult:
        self._check_size("store", address, size)
        if whole(value) is None:
            raise ConfigError(
                f"address space {self.name!r}: cannot store {value!r} at 0x{address:x}: give a"
                " whole number, or use write() for bytes"
            )
        view = self.source.view
        found = view.find(address)
        if (
            found is not None
            and not (found.region.ram or found.region.iommu is not None or attrs.debug)
            and not self.dispatch.refuses_writes(found)
        ):
            region, offset = found.region, found.offset_in_region + address - found.start
            if access_size(region, offset, size) == size:
                if attrs is ATTRS_UNSPECIFIED and not found.readonly:
                    plan = plan_write(self.dispatch, view, address, region, offset, size)
                    if plan is not None:
                        return BLOCKED if plan(value & MASKS[size], size) is BLOCKED else OK
                return self.dispatch.write(region, offset, value & MASKS[size], size, attrs)
        return self.write(address, (value & MASKS[size]).to_bytes(size, "little"), attrs)

    def _check_size(self, what: str, address: int, size: int) -> None:
        self.check_number("address", address)
        self.check_number("size", size)
        if size not in _SIZES:
            other = {"load": "read", "store": "write"}[what]
            raise ConfigError(
                f"address space {self.name!r}: cannot {what} {size} bytes at 0x{address:x}: a"
                f" number has 1, 2, 4 or 8; use {other}() for others"
            )

    def no_number(self, address: int, size: int, value: object) -> ConfigError:
        """Return the error of a device whose read callback returned ``value``."""
        found = self.source.view.find(address)
        if found is None:
            return ConfigError(f"the device at 0x{address:x} returned {value!r}: no number")
        offset = found.offset_in_region + address - found.start
        return no_number(found.region, offset, size, value)
