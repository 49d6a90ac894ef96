"""Accesses that a device does not implement, made of accesses that it does.

``valid.unaligned`` without ``impl.unaligned`` says: guests may access me anywhere, but I only know
whole, aligned words. QEMU's docs/devel/memory.rst promises that such accesses "will be emulated by
two aligned accesses"; its code has a FIXME there. Here they are:

* A read reads the aligned words that cover it, and no others, and takes what it needs from them.
* A write writes the aligned pieces that it consists of. A piece narrower than the narrowest word
  is merged into that word, which is read before; a register that changes when it is read should not
  be offered for such writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from guestmap.memory.map.ops import Endianness, MemoryRegionOps, MemTxResult

ReadPiece = Callable[[int, int], tuple[int, MemTxResult]]
WritePiece = Callable[[int, int, int], MemTxResult]


def needs_covering(ops: MemoryRegionOps, offset: int, size: int) -> bool:
    """Tell whether an access is one that the device leaves to this module.

    A device whose narrowest word is a byte is not concerned: there, accesses are cut up before
    (:func:`guestmap.memory.access.dispatch.access_size`).
    """
    least = ops.impl.min
    if least < 2 or not ops.valid.unaligned or ops.impl.unaligned:
        return False
    return size < least or bool(offset & (min(size, ops.impl.max or max(4, least)) - 1))


def read_covering(
    ops: MemoryRegionOps, offset: int, size: int, read: ReadPiece
) -> tuple[int, MemTxResult]:
    """Read ``size`` bytes at ``offset`` as a little-endian number, with the device's ``read``."""
    order, least = _byte_order(ops), ops.impl.min
    data, result = b"", MemTxResult.OK
    start, end = offset - offset % least, offset + size
    for at, step in _words(ops, start, end + -end % least):
        value, piece_result = read(at, step)
        data += (value & ((1 << 8 * step) - 1)).to_bytes(step, order)
        result |= piece_result
    skip = offset - start
    return int.from_bytes(data[skip : skip + size], "little"), result


def write_covering(
    ops: MemoryRegionOps, offset: int, value: int, size: int, read: ReadPiece, write: WritePiece
) -> MemTxResult:
    """Write ``size`` bytes, a little-endian number, at ``offset``, with the device's callbacks.

    A word whose reading fails is not written.
    """
    order = _byte_order(ops)
    data, result, least = value.to_bytes(size, "little"), MemTxResult.OK, ops.impl.min
    at, end = offset, offset + size
    while at < end:
        word = at - at % least
        if at == word and end - at >= least:
            _, step = next(_words(ops, at, end - (end - at) % least))
            piece = data[at - offset : at - offset + step]
        else:
            step = least
            old, piece_result = read(word, step)
            result |= piece_result
            stop = min(end, word + step)
            merged = bytearray((old & ((1 << 8 * step) - 1)).to_bytes(step, order))
            merged[at - word : stop - word] = data[at - offset : stop - offset]
            if piece_result:
                at = stop
                continue
            piece = bytes(merged)
        result |= write(word, int.from_bytes(piece, order), step)
        at = word + step
    return result


def _words(ops: MemoryRegionOps, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield offset and size of the largest aligned words that make up ``[start, end)``.

    Both ends are multiples of the narrowest word.
    """
    least, most = ops.impl.min, ops.impl.max or max(4, ops.impl.min)
    at = start
    while at < end:
        step = most
        while step > least and (at % step or at + step > end):
            step //= 2
        yield at, step
        at += step


def _byte_order(ops: MemoryRegionOps) -> Literal["big", "little"]:
    return "big" if ops.endianness is Endianness.BIG else "little"
