"""Address spaces: what a CPU or a bus master sees, and its reads and writes.

An access is cut into pieces, each answered by one range of the flat view: copied from or to host
memory, or handed to a device (QEMU's ``flatview_read_continue`` and ``flatview_write_continue``).
A guest never raises here: what goes wrong ends in the :class:`MemTxResult`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from guestmap.memory.dispatch import MASKS, access_size, is_valid, read_region, write_region
from guestmap.memory.flatview import FlatRange, FlatView
from guestmap.memory.listener import MemoryListener, MemoryRegionSection
from guestmap.memory.ops import ATTRS_UNSPECIFIED, Endianness, MemTxAttrs, MemTxResult

if TYPE_CHECKING:
    from guestmap.memory.region import MemoryRegion
    from guestmap.memory.view_root import ViewRoot

_ADDRESS_MASK = (1 << 64) - 1
_MAX_PLANS = 4096


class AddressSpace:
    """A root region, seen flat.

    Attributes:
        name: what ``info mtree`` prints.
        root: the region whose view this is.
        source: the physical root that the view is shared through.
        listeners: who is told of changes, lowest priority first.
    """

    __slots__ = ("_enforce_readonly", "_system", "listeners", "name", "root", "source")

    source: ViewRoot

    def __init__(self, name: str, root: MemoryRegion) -> None:
        self._system = root.system
        self._enforce_readonly = root.system.enforce_readonly
        self.name = name
        self.root = root
        self.listeners: list[MemoryListener] = []

    @property
    def view(self) -> FlatView:
        """The view that is published now. Keep it to go on seeing one and the same map."""
        return self.source.view

    def find(self, address: int) -> MemoryRegionSection | None:
        """Return the section that answers at ``address``, or None."""
        view = self.source.view
        found = view.find(address)
        return None if found is None else MemoryRegionSection.of(found, self, view)

    def register_listener(self, listener: MemoryListener) -> None:
        """Tell ``listener`` the whole view as added now, and every change from now on.

        Raises:
            StateError: it is registered already.
        """
        self._system.transactions.add_listener(self, listener)

    def unregister_listener(self, listener: MemoryListener) -> None:
        """Tell ``listener`` that everything goes, and nothing more after that.

        Raises:
            StateError: it is not registered here.
        """
        self._system.transactions.remove_listener(self, listener)

    # -- scalars ---------------------------------------------------------------------------------

    def load(self, address: int, size: int) -> int:
        """Return ``size`` bytes (1, 2, 4 or 8) as a little-endian number.

        What nobody answers reads as the region that is there says: 0 in memory, all ones in ports.
        """
        view = self.source.view
        start, end, block, base = view.hot
        if start <= address and address + size <= end:
            at = address - base
            return int.from_bytes(block.buffer[at : at + size], "little")  # type: ignore[union-attr]
        plan: Callable[[], int] | None = view.plans.get(address << 4 | size)
        if plan is not None:
            return plan() & MASKS[size]
        return self.load_result(address, size)[0]

    def load_result(
        self, address: int, size: int, attrs: MemTxAttrs = ATTRS_UNSPECIFIED
    ) -> tuple[int, MemTxResult]:
        """Like :meth:`load`, with the result."""
        view = self.source.view
        found = view.find(address)
        if found is not None and not found.reads_directly:
            region, offset = found.region, found.offset_in_region + address - found.start
            if access_size(region, offset, size) == size:
                _plan_read(view, address, region, offset, size)
                return read_region(region, offset, size, attrs)
        data = bytearray(size)
        result = self.read_into(address, data, attrs)
        return int.from_bytes(data, "little"), result

    def store(
        self, address: int, size: int, value: int, attrs: MemTxAttrs = ATTRS_UNSPECIFIED
    ) -> MemTxResult:
        """Write the low ``size`` bytes (1, 2, 4 or 8) of ``value``, little-endian."""
        view = self.source.view
        plan: Callable[[int, int], None] | None = view.plans.get(~(address << 4 | size))
        if plan is not None and not attrs.memory:
            plan(value & MASKS[size], size)
            return MemTxResult.OK
        found = view.find(address)
        if found is not None and not found.region.ram and not self._refuses(found):
            region, offset = found.region, found.offset_in_region + address - found.start
            if access_size(region, offset, size) == size and not attrs.debug:
                _plan_write(view, address, region, offset, size)
                return write_region(region, offset, value & MASKS[size], size, attrs)
        return self.write(address, (value & MASKS[size]).to_bytes(size, "little"), attrs)

    # -- bytes -----------------------------------------------------------------------------------

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes; the pieces that fail read as their region says."""
        data = bytearray(length)
        self.read_into(address, data)
        return bytes(data)

    def read_into(
        self, address: int, buffer: bytearray | memoryview, attrs: MemTxAttrs = ATTRS_UNSPECIFIED
    ) -> MemTxResult:
        """Fill ``buffer`` from ``address`` on; addresses wrap at 2**64."""
        view = self.source.view
        target = memoryview(buffer).cast("B")
        done, length, result = 0, len(target), MemTxResult.OK
        while done < length:
            at = (address + done) & _ADDRESS_MASK
            found = view.find(at)
            if found is None:
                piece = _hole(view, at, length - done)
                target[done : done + piece] = bytes(piece)
                result |= _nobody(attrs)
            elif found.reads_directly and (found.region.ram or not attrs.memory):
                piece = min(length - done, found.end - at)
                _copy_out(view, found, at, target[done : done + piece])
            else:
                offset = found.offset_in_region + at - found.start
                piece = access_size(found.region, offset, length - done)
                value, piece_result = read_region(found.region, offset, piece, attrs)
                target[done : done + piece] = value.to_bytes(piece, "little")
                result |= piece_result
            done += piece
        return result

    def write(
        self,
        address: int,
        data: bytes | bytearray | memoryview,
        attrs: MemTxAttrs = ATTRS_UNSPECIFIED,
    ) -> MemTxResult:
        """Write ``data`` from ``address`` on; addresses wrap at 2**64.

        What is written to ROM vanishes and ends with DECODE_ERROR, as in QEMU.
        """
        view = self.source.view
        source = memoryview(data).cast("B")
        done, length, result = 0, len(source), MemTxResult.OK
        while done < length:
            at = (address + done) & _ADDRESS_MASK
            found = view.find(at)
            if found is None:
                piece = _hole(view, at, length - done)
                result |= _nobody(attrs)
            else:
                piece, piece_result = self._write_piece(found, at, source[done:], attrs)
                result |= piece_result
            done += piece
        return result

    def _write_piece(
        self, found: FlatRange, at: int, data: memoryview, attrs: MemTxAttrs
    ) -> tuple[int, MemTxResult]:
        region, offset = found.region, found.offset_in_region + at - found.start
        refuses = self._refuses(found)
        if region.ram or not attrs.memory:
            if found.reads_directly and (attrs.debug or (region.ram and not refuses)):
                piece = min(len(data), found.end - at)
                _copy_in(found, offset, data[:piece])
                return piece, MemTxResult.OK
            if refuses:
                return min(len(data), found.end - at), MemTxResult.DECODE_ERROR
        piece = access_size(region, offset, len(data))
        value = int.from_bytes(data[:piece], "little")
        return piece, write_region(region, offset, value, piece, attrs)

    def _refuses(self, found: FlatRange) -> bool:
        """Tell whether writes vanish: into ROM, and into memory that a parent makes read-only."""
        region = found.region
        if self._enforce_readonly:
            return found.readonly and (region.ram or found.reads_directly)
        return region.readonly and region.ram and not region.ram_device

    def write_rom(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Write to RAM and ROM alike, as a loader does; devices are passed over."""
        view = self.source.view
        source = memoryview(data).cast("B")
        done = 0
        while done < len(source):
            at = (address + done) & _ADDRESS_MASK
            found = view.find(at)
            if found is None:
                done += _hole(view, at, len(source) - done)
                continue
            piece = min(len(source) - done, found.end - at)
            if found.reads_directly:
                offset = found.offset_in_region + at - found.start
                _copy_in(found, offset, source[done : done + piece])
            done += piece

    def set(self, address: int, byte: int, length: int) -> MemTxResult:
        """Write ``length`` times the same byte."""
        result = MemTxResult.OK
        block = bytes([byte & 0xFF]) * min(length, 1 << 16)
        for done in range(0, length, len(block) or 1):
            result |= self.write(address + done, block[: length - done])
        return result

    def __repr__(self) -> str:
        return f"<AddressSpace {self.name}, root {self.root.name}>"


def _hole(view: FlatView, at: int, length: int) -> int:
    """Return how many of ``length`` bytes from ``at`` on nobody answers."""
    following = view.next_start(at)
    if following is None:
        following = _ADDRESS_MASK + 1
    return min(length, following - at)


def _nobody(attrs: MemTxAttrs) -> MemTxResult:
    return MemTxResult.ACCESS_ERROR if attrs.memory else MemTxResult.DECODE_ERROR


def _copy_out(view: FlatView, found: FlatRange, at: int, target: memoryview) -> None:
    block = found.region.ram_block
    assert block is not None
    offset = found.offset_in_region + at - found.start
    piece = block.buffer[offset : offset + len(target)]
    if len(piece) == len(target):
        target[:] = piece
        view.hot = (found.start, found.end, block, found.start - found.offset_in_region)
    else:  # a block without backing, or a region that reaches beyond its block
        target[:] = bytes(len(target))
        target[: len(piece)] = piece


def _copy_in(found: FlatRange, offset: int, data: memoryview) -> None:
    block = found.region.ram_block
    assert block is not None
    room = max(0, min(len(data), len(block.buffer) - offset))
    block.buffer[offset : offset + room] = data[:room]
    if block.watched:
        block.written(offset, room)


def _plan_read(view: FlatView, address: int, region: MemoryRegion, offset: int, size: int) -> None:
    """Remember a read that needs no cutting up: the device's own callback, ready to be called."""
    ops = region.ops
    if _is_plain(region, offset, size, False) and ops.read is not None:
        if len(view.plans) > _MAX_PLANS:
            view.plans.clear()
        view.plans[address << 4 | size] = partial(ops.read, offset, size)


def _plan_write(view: FlatView, address: int, region: MemoryRegion, offset: int, size: int) -> None:
    ops = region.ops
    if _is_plain(region, offset, size, True) and ops.write is not None:
        if len(view.plans) > _MAX_PLANS:
            view.plans.clear()
        view.plans[~(address << 4 | size)] = partial(ops.write, offset)


def _is_plain(region: MemoryRegion, offset: int, size: int, is_write: bool) -> bool:
    """Tell whether one access is one call of the callback, every time."""
    ops = region.ops
    return (
        ops.valid.accepts is None
        and ops.endianness is not Endianness.BIG
        and (ops.impl.min or 1) <= size <= (ops.impl.max or 4)
        and is_valid(ops, offset, size, is_write, ATTRS_UNSPECIFIED)
    )
