"""One access to one region: is it valid, how is it cut up, and in which byte order.

The rules are QEMU's (system/memory.c: ``memory_region_access_valid``,
``access_with_adjusted_size``, ``memory_access_size``), documented in docs/devel/memory.rst.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.memory.access.unaligned import needs_covering, read_covering, write_covering
from guestmap.memory.map.checks import whole
from guestmap.memory.map.ops import Endianness, MemoryRegionOps, MemTxAttrs, MemTxResult

if TYPE_CHECKING:
    from guestmap.memory.map.region import MemoryRegion

OK = MemTxResult.OK
MASKS = tuple((1 << (8 * size)) - 1 for size in range(9))


def access_size(region: MemoryRegion, offset: int, length: int) -> int:
    """Return how many of ``length`` bytes at ``offset`` go to the device in one access.

    A power of two, at most the device's largest valid size; unless the device implements
    unaligned accesses, or leaves them to :mod:`guestmap.memory.access.unaligned`, at most what
    ``offset`` is aligned to.
    """
    ops = region.ops
    largest = ops.valid.max or 4
    if offset and not ops.impl.unaligned and not (ops.valid.unaligned and ops.impl.min > 1):
        largest = min(largest, offset & -offset)
    length = min(length, largest)
    return 1 << (length.bit_length() - 1)


def is_valid(
    ops: MemoryRegionOps, offset: int, size: int, is_write: bool, attrs: MemTxAttrs
) -> bool:
    """Tell whether the device accepts an access of ``size`` bytes at ``offset``."""
    valid = ops.valid
    if valid.accepts is not None and not valid.accepts(offset, size, is_write, attrs):
        return False
    return is_valid_size(ops, offset, size)


def is_valid_size(ops: MemoryRegionOps, offset: int, size: int) -> bool:
    """Tell whether the device accepts that size and alignment, whatever else it looks at."""
    valid = ops.valid
    if not valid.unaligned and offset & (size - 1):
        return False
    return valid.max == 0 or valid.min <= size <= valid.max


def read_device(
    region: MemoryRegion, offset: int, size: int, attrs: MemTxAttrs
) -> tuple[int, MemTxResult]:
    """Read ``size`` bytes with the device's callbacks, as a little-endian number."""
    ops = region.ops
    if needs_covering(ops, offset, size):
        return read_covering(ops, offset, size, partial(_read_piece, region, attrs))
    step, big = _step(ops, size), ops.endianness is Endianness.BIG
    if step == size and ops.read is not None:
        value, result = ops.read(offset, size), OK
        if whole(value) is None:
            raise no_number(region, offset, size, value)
        value &= MASKS[size]
    else:
        value, result = 0, OK
        for i in range(0, size, step):
            piece, piece_result = _read_piece(region, attrs, offset + i, step)
            value |= _shifted(piece & MASKS[step], 8 * (size - step - i if big else i))
            result |= piece_result
        value &= MASKS[size]
    return (_swapped(value, size) if big else value), result


def write_device(
    region: MemoryRegion, offset: int, value: int, size: int, attrs: MemTxAttrs
) -> MemTxResult:
    """Write ``size`` bytes, a little-endian number, with the device's callbacks."""
    ops = region.ops
    if needs_covering(ops, offset, size):
        read, write = partial(_read_piece, region, attrs), partial(_write_piece, region, attrs)
        return write_covering(ops, offset, value, size, read, write)
    step, big = _step(ops, size), ops.endianness is Endianness.BIG
    if big:
        value = _swapped(value, size)
    if step == size and ops.write is not None:
        ops.write(offset, value, size)
        return OK
    result = OK
    for i in range(0, size, step):
        piece = _shifted(value, -8 * (size - step - i if big else i)) & MASKS[step]
        result |= _write_piece(region, attrs, offset + i, piece, step)
    return result


def device_order(region: MemoryRegion, value: int, size: int) -> int:
    """Return a little-endian number of ``size`` bytes as the device's callbacks see it."""
    return _swapped(value, size) if region.ops.endianness is Endianness.BIG else value


def _step(ops: MemoryRegionOps, size: int) -> int:
    """Return the size of the accesses that the callbacks implement."""
    return max(min(size, ops.impl.max or 4), ops.impl.min or 1)


def _read_piece(
    region: MemoryRegion, attrs: MemTxAttrs, offset: int, size: int
) -> tuple[int, MemTxResult]:
    ops = region.ops
    if ops.read is not None:
        value, result = ops.read(offset, size), OK
    elif ops.read_with_attrs is not None:
        answer = ops.read_with_attrs(offset, size, attrs)
        if not isinstance(answer, tuple):
            raise no_number(region, offset, size, answer)
        value, result = answer
    else:
        return 0, OK
    if whole(value) is None:
        raise no_number(region, offset, size, value)
    return value, result


def no_number(region: MemoryRegion, offset: int, size: int, value: object) -> ConfigError:
    """Return the error of a device's author whose callback returned ``value``."""
    return ConfigError(
        f"region {region.name!r}: the callback for reads of {size} bytes at offset 0x{offset:x}"
        f" returned {value!r}: it must return a whole number (read_with_attrs: and a MemTxResult)"
    )


def _write_piece(
    region: MemoryRegion, attrs: MemTxAttrs, offset: int, value: int, size: int
) -> MemTxResult:
    ops = region.ops
    if ops.write is not None:
        ops.write(offset, value, size)
    elif ops.write_with_attrs is not None:
        result = ops.write_with_attrs(offset, value, size, attrs)
        if whole(result) is None:
            raise ConfigError(
                f"region {region.name!r}: the callback for writes of {size} bytes at offset"
                f" 0x{offset:x} returned {result!r}: it must return a MemTxResult"
            )
        return result
    return OK


def _shifted(value: int, bits: int) -> int:
    """Shift left, or right where ``bits`` is negative."""
    return value << bits if bits >= 0 else value >> -bits


def _swapped(value: int, size: int) -> int:
    return int.from_bytes(value.to_bytes(size, "little"), "big")
