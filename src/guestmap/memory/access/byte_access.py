"""Reading and writing bytes through an address space.

An access to memory that was accessed last goes a short way: the view remembers it. All others are
cut into pieces, each answered by one range of the flat view
(:mod:`guestmap.memory.access.copy`).

A guest never raises here: what goes wrong ends in the :class:`MemTxResult`.
"""

from __future__ import annotations

import sys

from guestmap.base import ConfigError
from guestmap.memory.access.copy import LONG, copy_in, read_piece, read_run, write_piece, write_run
from guestmap.memory.access.dispatch import Dispatch
from guestmap.memory.access.translate import ADDRESS_MASK, locate
from guestmap.memory.map.checks import checked_number
from guestmap.memory.map.ops import ATTRS_UNSPECIFIED, MemTxAttrs, MemTxResult
from guestmap.memory.map.region import MemoryRegion
from guestmap.memory.map.space import ViewedSpace

OK = MemTxResult.OK


class ByteAccess(ViewedSpace):
    """The part of :class:`guestmap.memory.AddressSpace` that reads and writes bytes.

    Attributes:
        dispatch: how accesses reach this machine's devices.
    """

    __slots__ = ("dispatch",)

    def __init__(self, name: str, root: MemoryRegion, dispatch: Dispatch) -> None:
        super().__init__(name, root)
        self.dispatch = dispatch

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes; the pieces that fail read as their region says.

        Raises:
            ConfigError: a length that cannot be, or no whole numbers.
        """
        start, last, block, base = self.source.view.hot
        try:
            if start <= address and address + length <= last:
                at = address - base
                data = block.cells[at : at + length]  # type: ignore[union-attr]
                if len(data) == length:
                    return data
        except TypeError:
            pass  # it is named below
        if type(address) is not int or type(length) is not int or not 0 <= length <= sys.maxsize:
            self.check_run("read", address, length)
        view = self.source.view
        pieces, done = read_run(view, address, length)
        while done < length:
            at = (address + done) & ADDRESS_MASK
            piece, _ = read_piece(view, at, length - done, ATTRS_UNSPECIFIED, self.dispatch)
            pieces.append(piece)
            done += len(piece)
        return b"".join(pieces)

    def read_into(
        self, address: int, buffer: bytearray | memoryview, attrs: MemTxAttrs = ATTRS_UNSPECIFIED
    ) -> MemTxResult:
        """Fill ``buffer`` from ``address`` on; addresses wrap at 2**64.

        Raises:
            ConfigError: the address is no whole number, or nothing can be written to the buffer.
        """
        view = self.source.view
        try:
            target = memoryview(buffer)
        except TypeError:
            raise self._no_target(buffer) from None
        if target.readonly:
            raise self._no_target(buffer)
        if type(address) is not int:
            self.check_number("address", address)
        start, last, block, base = view.hot
        end = address + target.nbytes
        if start <= address and end <= last:
            try:
                if end - address < LONG:
                    target[:] = block.cells[address - base : end - base]  # type: ignore[union-attr]
                else:
                    whole = memoryview(block.cells).cast("B")  # type: ignore[union-attr]
                    target[:] = whole[address - base : end - base]
            except (TypeError, ValueError):  # as in write
                pass
            else:
                return OK
        target = target.cast("B")
        length, place, result = len(target), 0, OK
        pieces, done = read_run(view, address, length)
        for run in pieces:
            end = place + len(run)
            target[place:end] = run.cast("B") if isinstance(run, memoryview) else run
            place = end
        while done < length:
            at = (address + done) & ADDRESS_MASK
            piece, piece_result = read_piece(view, at, length - done, attrs, self.dispatch)
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

        Raises:
            ConfigError: no bytes, or an address that is no whole number.
        """
        view = self.source.view
        start, last, block, base = view.hot_write
        try:
            end = address + len(data)
            if start <= address and end <= last:
                block.buffer[address - base : end - base] = data  # type: ignore[union-attr]
                if block.watched:  # type: ignore[union-attr]
                    block.written(address - base, end - address)  # type: ignore[union-attr]
                return OK
        except (TypeError, ValueError):
            pass  # what is wrong is named below; reclaimed just now; not a view of bytes
        self.check_number("address", address)
        source = self._bytes_of(data)
        length, result = len(source), OK
        done = write_run(view, address, source, self.dispatch)
        while done < length:
            at = (address + done) & ADDRESS_MASK
            piece, piece_result = write_piece(view, at, source[done:], attrs, self.dispatch)
            if piece_result:
                result |= piece_result
            done += piece
        return result

    def write_rom(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Write to RAM and ROM alike, as a loader does; devices are passed over.

        IOMMUs on the way translate, and may refuse, as for any other write.

        Raises:
            ConfigError: as :meth:`write`.
        """
        view = self.source.view
        self.check_number("address", address)
        source = self._bytes_of(data)
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
        """Write ``length`` times the same byte.

        Raises:
            ConfigError: as :meth:`read`.
        """
        self.check_run("set", address, length)
        self.check_number("byte", byte)
        result = OK
        block = bytes([byte & 0xFF]) * min(length, 1 << 16)
        for done in range(0, length, len(block) or 1):
            result |= self.write(address + done, block[: length - done])
        return result

    def check_number(self, what: str, value: object) -> None:
        """Check that an address, or a length, is a whole number.

        Raises:
            ConfigError: it is none.
        """
        checked_number(f"address space {self.name!r}: {what}", value)

    def check_run(self, action: str, address: object, length: int) -> None:
        """Check an address and the number of bytes from there on.

        Raises:
            ConfigError: they are no whole numbers, or nothing has so many bytes.
        """
        if type(address) is not int or type(length) is not int:
            self.check_number("address", address)
            self.check_number("length", length)
        if not 0 <= length <= sys.maxsize:
            raise ConfigError(f"address space {self.name!r}: cannot {action} {length} bytes")

    def _no_target(self, buffer: object) -> ConfigError:
        return ConfigError(
            f"address space {self.name!r}: cannot read into {buffer!r}: give a bytearray"
        )

    def _bytes_of(self, data: bytes | bytearray | memoryview) -> memoryview:
        try:
            return memoryview(data).cast("B")
        except TypeError:
            raise ConfigError(
                f"address space {self.name!r}: cannot write {data!r}: give bytes"
            ) from None
