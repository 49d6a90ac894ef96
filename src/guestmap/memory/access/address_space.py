"""Address spaces: what a CPU or a bus master sees, and its reads and writes.

An access to memory that was accessed last, or to a device's register that was accessed before, goes
a short way: the view remembers them. All others are cut into pieces, each answered by one range of
the flat view (:mod:`guestmap.memory.access.copy`).

A guest never raises here: what goes wrong ends in the :class:`MemTxResult`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

from guestmap.base import ConfigError
from guestmap.memory.access.cache import MemoryRegionCache
from guestmap.memory.access.copy import (
    accepts_piece,
    copy_in,
    read_piece,
    read_run,
    refuses_writes,
    write_piece,
    write_run,
)
from guestmap.memory.access.dispatch import MASKS, access_size, no_number, read_region, write_region
from guestmap.memory.access.dispatch_cache import BLOCKED, plan_read, plan_write
from guestmap.memory.access.find import cropped, find_in
from guestmap.memory.access.mapping import BouncePool, Mapping, map_memory
from guestmap.memory.access.translate import ADDRESS_MASK, locate
from guestmap.memory.hear.listener import MemoryListener
from guestmap.memory.map.facts import whole
from guestmap.memory.map.flatview import FlatView
from guestmap.memory.map.ops import ATTRS_UNSPECIFIED, MemTxAttrs, MemTxResult
from guestmap.memory.map.section import MemoryRegionSection

if TYPE_CHECKING:
    from guestmap.memory.hear.ioeventfd import IoEventFd
    from guestmap.memory.map.region import MemoryRegion
    from guestmap.memory.map.view_root import ViewRoot

T = TypeVar("T")

OK = MemTxResult.OK


_SIZES = (1, 2, 4, 8)


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


class AddressSpace:
    """A root region, seen flat.

    Attributes:
        name: what ``info mtree`` prints.
        root: the region whose view this is.
        source: the physical root that the view is shared through.
        listeners: who is told of changes, lowest priority first.
    """

    __slots__ = (
        "_enforce_readonly",
        "_system",
        "ioeventfds",
        "listeners",
        "name",
        "root",
        "source",
    )

    source: ViewRoot

    def __init__(self, name: str, root: MemoryRegion) -> None:
        self._system = root.system
        self._enforce_readonly = root.system.enforce_readonly
        self.name = name
        self.root = root
        self.listeners: list[MemoryListener] = []
        self.ioeventfds: list[IoEventFd] = []

    @property
    def view(self) -> FlatView:
        """The view that is published now. Keep it to go on seeing one and the same map."""
        return self.source.view

    def find(self, address: int, size: int | None = None) -> MemoryRegionSection | None:
        """Return what shows at ``address``, or None where nothing does.

        Nothing is accessed or translated: behind an IOMMU this is the IOMMU's region.

        Args:
            address: where.
            size: with a size, the lowest section in that many bytes, cut to them; without, the
                whole section that answers at ``address``.
        """
        if size is not None:
            return find_in(self, address, size)
        view = self.source.view
        found = view.find(address)
        return None if found is None else MemoryRegionSection.of(found, self, view)

    def translate(
        self,
        address: int,
        is_write: bool = False,
        length: int = 1 << 64,
        attrs: MemTxAttrs = ATTRS_UNSPECIFIED,
    ) -> MemoryRegionSection | None:
        """Return where an access goes, through all IOMMUs on its way; None where nobody answers.

        The section begins with the byte at ``address``, and is as long as the following addresses
        lead to the following bytes: at most ``length``, the rest of its range, and the rest of each
        IOMMU's page. ``view`` and the address are those at the end of the way.
        """
        view, found, at, room = locate(self.source.view, address, length, is_write, attrs)
        if found is None:
            return None
        section = MemoryRegionSection.of(found, self, view)
        return cropped(section, at, min(at + room, found.end))

    def access_valid(
        self,
        address: int,
        length: int,
        is_write: bool,
        attrs: MemTxAttrs = ATTRS_UNSPECIFIED,
    ) -> bool:
        """Tell whether everybody on the way would take an access, without making it."""
        view, done = self.source.view, 0
        while done < length:
            at = (address + done) & ADDRESS_MASK
            piece, accepted = accepts_piece(
                view, at, length - done, is_write, attrs, self._enforce_readonly
            )
            if not accepted:
                return False
            done += piece
        return True

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

        Raises:
            ConfigError: another size; a device's callback returned no number.
            StateError: the memory system is closed, as for every access.
        """
        view = self.source.view
        start, last, block, base = view.hot
        if start <= address <= last:
            try:
                return _UNPACK[size](block.buffer, address - base)[0]  # type: ignore[union-attr]
            except (struct.error, IndexError):  # an odd size, or the memory was reclaimed just now
                return self.load_result(address, size)[0]
        plan: Callable[[], int] | None = view.plans.get(address << 4 | size)
        if plan is not None:
            number = plan()
            try:
                return number & _MASKS[size]
            except (TypeError, IndexError):
                self._check_size("load", address, size)
                raise self.no_number(address, size, number) from None
        return self.load_result(address, size)[0]

    def load_result(
        self, address: int, size: int, attrs: MemTxAttrs = ATTRS_UNSPECIFIED
    ) -> tuple[int, MemTxResult]:
        """Like :meth:`load`, with the result."""
        self._check_size("load", address, size)
        view = self.source.view
        found = view.find(address)
        if found is not None and not found.reads_directly and found.region.iommu is None:
            region, offset = found.region, found.offset_in_region + address - found.start
            if access_size(region, offset, size) == size:
                if not found.readonly:
                    plan_read(view, address, region, offset, size)
                return read_region(region, offset, size, attrs)
        data = bytearray(size)
        result = self.read_into(address, data, attrs)
        return int.from_bytes(data, "little"), result

    def store(
        self, address: int, size: int, value: int, attrs: MemTxAttrs = ATTRS_UNSPECIFIED
    ) -> MemTxResult:
        """Write the low ``size`` bytes (1, 2, 4 or 8) of ``value``, little-endian.

        Raises:
            ConfigError: another size, or a value that is no whole number.
        """
        view = self.source.view
        start, last, block, base = view.hot_write
        if start <= address <= last:
            try:
                _PACK[size](block.buffer, address - base, value)  # type: ignore[union-attr]
            except (struct.error, IndexError):  # as in load, or more bits than bytes
                return self._store(address, size, value, attrs)
            if block.watched:  # type: ignore[union-attr]
                block.written(address - base, size)  # type: ignore[union-attr]
            return OK
        if attrs is ATTRS_UNSPECIFIED:
            plan: Callable[[int, int], object] | None = view.plans.get(~(address << 4 | size))
            if plan is not None:
                try:
                    number = value & _MASKS[size]
                except (TypeError, IndexError):
                    return self._store(address, size, value, attrs)
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
            and not refuses_writes(found, self._enforce_readonly)
        ):
            region, offset = found.region, found.offset_in_region + address - found.start
            if access_size(region, offset, size) == size:
                if not found.readonly:
                    plan_write(view, address, region, offset, size)
                return write_region(region, offset, value & MASKS[size], size, attrs)
        return self.write(address, (value & MASKS[size]).to_bytes(size, "little"), attrs)

    def _check_size(self, what: str, address: int, size: int) -> None:
        if size not in _SIZES:
            other = {"load": "read", "store": "write"}[what]
            raise ConfigError(
                f"address space {self.name!r}: cannot {what} {size} bytes at 0x{address:x}: a"
                f" number has 1, 2, 4 or 8; use {other}() for others"
            )

    def no_number(self, address: int, size: int, value: object) -> ConfigError:
        """Return the error of a device whose read callback returned ``value``."""
        section = self.find(address, 1)
        if section is None:
            return ConfigError(f"the device at 0x{address:x} returned {value!r}: no number")
        return no_number(section.region, section.offset_within_region, size, value)

    # -- bytes -----------------------------------------------------------------------------------

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes; the pieces that fail read as their region says."""
        start, last, block, base = self.source.view.hot
        if start <= address and address + length <= last:
            at = address - base
            data = block.buffer[at : at + length].tobytes()  # type: ignore[union-attr]
            if len(data) == length:
                return data
        view = self.source.view
        pieces = read_run(view, address, length)
        done = sum(map(len, pieces))
        while done < length:
            at = (address + done) & ADDRESS_MASK
            piece, _ = read_piece(view, at, length - done, ATTRS_UNSPECIFIED)
            pieces.append(piece)
            done += len(piece)
        return b"".join(pieces)

    def read_into(
        self, address: int, buffer: bytearray | memoryview, attrs: MemTxAttrs = ATTRS_UNSPECIFIED
    ) -> MemTxResult:
        """Fill ``buffer`` from ``address`` on; addresses wrap at 2**64."""
        view = self.source.view
        target = memoryview(buffer)
        start, last, block, base = view.hot
        end = address + target.nbytes
        if start <= address and end <= last:
            try:
                target[:] = block.buffer[address - base : end - base]  # type: ignore[union-attr]
            except ValueError:  # as in write
                pass
            else:
                return OK
        target = target.cast("B")
        done, length, result = 0, len(target), OK
        for run in read_run(view, address, length):
            target[done : done + len(run)] = run
            done += len(run)
        while done < length:
            at = (address + done) & ADDRESS_MASK
            piece, piece_result = read_piece(view, at, length - done, attrs)
            end = done + len(piece)
            target[done:end] = piece
            if piece_result:
                result |= piece_result
            done = end
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
        start, last, block, base = view.hot_write
        end = address + len(data)
        if start <= address and end <= last:
            try:
                block.buffer[address - base : end - base] = data  # type: ignore[union-attr]
            except ValueError:  # the memory was reclaimed just now; not a view of bytes
                pass
            else:
                if block.watched:  # type: ignore[union-attr]
                    block.written(address - base, end - address)  # type: ignore[union-attr]
                return OK
        source = memoryview(data).cast("B")
        length, result = len(source), OK
        done = write_run(view, address, source, self._enforce_readonly)
        while done < length:
            at = (address + done) & ADDRESS_MASK
            piece, piece_result = write_piece(
                view, at, source[done:], attrs, self._enforce_readonly
            )
            if piece_result:
                result |= piece_result
            done += piece
        return result

    def write_rom(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Write to RAM and ROM alike, as a loader does; devices are passed over.

        IOMMUs on the way translate, and may refuse, as for any other write.
        """
        view = self.source.view
        source = memoryview(data).cast("B")
        done = 0
        while done < len(source):
            at = (address + done) & ADDRESS_MASK
            _, found, at, room = locate(view, at, len(source) - done, True, ATTRS_UNSPECIFIED)
            if found is None:
                done += room
                continue
            piece = min(room, found.end - at)
            if found.reads_directly:
                offset = found.offset_in_region + at - found.start
                copy_in(found, offset, source[done : done + piece])
            done += piece

    def set(self, address: int, byte: int, length: int) -> MemTxResult:
        """Write ``length`` times the same byte."""
        result = OK
        block = bytes([byte & 0xFF]) * min(length, 1 << 16)
        for done in range(0, length, len(block) or 1):
            result |= self.write(address + done, block[: length - done])
        return result

    # -- longer access ---------------------------------------------------------------------------

    def map(
        self,
        address: int,
        length: int,
        is_write: bool,
        attrs: MemTxAttrs = ATTRS_UNSPECIFIED,
    ) -> Mapping | None:
        """Return up to ``length`` bytes at ``address`` as a buffer, until it is unmapped.

        Memory is mapped itself, and stays while it is, whatever happens to the map. Anything else
        is copied, as far as there are bounce buffers: see :attr:`bounce`.

        Returns:
            None if there is no bounce buffer free: try again when ``bounce.wait(...)`` calls.
        """
        return map_memory(self, address, length, is_write, attrs)

    def cache(self, address: int, length: int, is_write: bool) -> MemoryRegionCache:
        """Return a window on up to ``length`` bytes for frequent access.

        Raises:
            ConfigError: ``length`` is not positive.
        """
        return MemoryRegionCache(self, address, length, is_write)

    @property
    def bounce(self) -> BouncePool:
        """The bounce buffers of :meth:`map`; made on first use."""
        return self._system.bounce_pools.setdefault(self, BouncePool())

    def __repr__(self) -> str:
        return f"<AddressSpace {self.name}, root {self.root.name}>"
