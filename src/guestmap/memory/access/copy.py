"""One access cut into pieces, each answered by one range: copied, or handed to a device.

The cuts are QEMU's (``flatview_read_continue``, ``flatview_write_continue``): memory in one piece
up to the end of its range, devices in what they accept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.memory.access.device import access_size, is_valid
from guestmap.memory.access.translate import locate
from guestmap.memory.map.ops import UNASSIGNED_MEM_OPS, MemTxAttrs, MemTxResult

if TYPE_CHECKING:
    from guestmap.memory.access.dispatch import Dispatch
    from guestmap.memory.map.flat_range import FlatRange
    from guestmap.memory.map.flatview import FlatView

OK = MemTxResult.OK
LONG = 1 << 14
"""From so many bytes on, one copy more costs more than a view of one's own."""

LAST_BYTES = 8
"""What is hot ends this many bytes before its range does, so that any scalar that begins in it is
in it: one comparison less on each access."""


def read_run(view: FlatView, at: int, length: int) -> tuple[list[memoryview | bytes], int]:
    """Return the first of ``length`` bytes as the pieces of host memory that they are; how many.

    As far as it is RAM without gaps: the usual case, and a short way for long copies that cross
    borders. The last range becomes the view's hot one.
    """
    pieces: list[memoryview | bytes] = []
    start, end = at, at + length
    for found in view.span(at, end):
        region = found.region
        block = region.ram_block
        if found.start > at or block is None or not region.ram or region.ram_device:
            break
        stop = found.end
        if stop > end:
            stop = end
        base = found.start - found.offset_in_region
        cells = block.cells
        if stop - base > len(cells):
            break
        if stop - at < LONG:
            pieces.append(cells[at - base : stop - base])
        else:
            pieces.append(memoryview(cells)[at - base : stop - base])
        at = stop
        if at == end:
            view.hot = (found.start, found.end - LAST_BYTES, block, base)
    return pieces, at - start


def write_run(view: FlatView, at: int, data: memoryview, dispatch: Dispatch) -> int:
    """Write the first of ``data`` as far as it goes to RAM without gaps; return how many bytes."""
    start, end = at, at + len(data)
    for found in view.span(at, end):
        region = found.region
        block = region.ram_block
        if found.start > at or block is None or not region.ram or region.ram_device:
            break
        stop = found.end
        if stop > end:
            stop = end
        base = found.start - found.offset_in_region
        buffer = block.buffer
        readonly = found.readonly if dispatch.enforce_readonly else region.readonly
        if readonly or buffer.readonly or stop - base > len(buffer):
            break
        buffer[at - base : stop - base] = data[at - start : stop - start]
        if block.watched:
            block.written(at - base, stop - at)
        at = stop
        if at == end and not found.readonly:  # or the region could become so in the same view
            view.hot_write = (found.start, found.end - LAST_BYTES, block, base)
    return at - start


def read_piece(
    view: FlatView, at: int, length: int, attrs: MemTxAttrs, dispatch: Dispatch
) -> tuple[bytes, MemTxResult]:
    """Return some of ``length`` bytes from ``at`` on, at least one."""
    view, found, at, room = locate(view, at, length, False, attrs)
    if found is None:
        return bytes(room), nobody(attrs)
    region = found.region
    if found.reads_directly and (region.ram or not attrs.memory):
        return copy_out(view, found, at, min(room, found.end - at)), OK
    offset = found.offset_in_region + at - found.start
    size = access_size(region, offset, room)
    value, result = dispatch.read(region, offset, size, attrs)
    return value.to_bytes(size, "little"), result


def write_piece(
    view: FlatView, at: int, data: memoryview, attrs: MemTxAttrs, dispatch: Dispatch
) -> tuple[int, MemTxResult]:
    """Write some of ``data`` and return how much.

    Args:
        view: what is there.
        at: the address of the first byte.
        data: the bytes, one or more.
        attrs: of the access.
        dispatch: the machine's rules.
    """
    view, found, at, room = locate(view, at, len(data), True, attrs)
    if found is None:
        return room, nobody(attrs)
    region, offset = found.region, found.offset_in_region + at - found.start
    if region.ram or not attrs.memory:
        refuses = dispatch.refuses_writes(found)
        if found.reads_directly and (attrs.debug or (region.ram and not refuses)):
            room = min(room, found.end - at)
            copy_in(found, offset, data[:room])
            return room, OK
        if refuses:
            return min(room, found.end - at), MemTxResult.DECODE_ERROR
    size = access_size(region, offset, room)
    value = int.from_bytes(data[:size], "little")
    return size, dispatch.write(region, offset, value, size, attrs)


def accepts_piece(
    view: FlatView, at: int, length: int, is_write: bool, attrs: MemTxAttrs, dispatch: Dispatch
) -> tuple[int, bool]:
    """Tell whether the first of ``length`` bytes would be taken, and how many belong to them.

    Nothing is accessed, but translators and ``valid.accepts`` are asked.
    """
    view, found, at, room = locate(view, at, length, is_write, attrs)
    if found is None:
        return room, False
    region, offset = found.region, found.offset_in_region + at - found.start
    if found.reads_directly and (region.ram or not (is_write or attrs.memory)):
        refused = is_write and not attrs.debug and dispatch.refuses_writes(found)
        return min(room, found.end - at), not refused
    size = access_size(region, offset, room)
    if region.ops is UNASSIGNED_MEM_OPS or (attrs.memory and not region.ram):
        return size, False
    if is_write and dispatch.refuses_writes(found):
        return size, False
    return size, is_valid(region.ops, offset, size, is_write, attrs)


def nobody(attrs: MemTxAttrs) -> MemTxResult:
    """Return the result where nobody answers."""
    return MemTxResult.ACCESS_ERROR if attrs.memory else MemTxResult.DECODE_ERROR


def copy_out(view: FlatView, found: FlatRange, at: int, length: int) -> bytes:
    """Return ``length`` bytes of host memory, and make the range the view's hot one."""
    block = found.region.ram_block
    assert block is not None
    offset = found.offset_in_region + at - found.start
    piece = block.cells[offset : offset + length]
    if len(piece) == length:
        hot = view.hot
        if hot[0] != found.start or hot[2] is not block:
            base = found.start - found.offset_in_region
            view.hot = (found.start, found.end - LAST_BYTES, block, base)
        return piece
    # There is no backing, or the region reaches beyond its block.
    return piece.ljust(length, b"\0")


def copy_in(found: FlatRange, offset: int, data: memoryview) -> None:
    """Write host memory, as far as there is any, and tell whoever watches it."""
    block = found.region.ram_block
    assert block is not None
    if block.buffer.readonly:  # a file mapped for reading only: not even a loader may write
        return
    room = max(0, min(len(data), len(block.buffer) - offset))
    block.buffer[offset : offset + room] = data[:room]
    if block.watched:
        block.written(offset, room)
