"""The file of a saved machine: a front, data, an index, and an end with a checksum of all of it.

====================  ==========================================================================
bytes                 what
====================  ==========================================================================
0-15                  ``guestmap machine``
16-19                 the version of the format, little-endian as all numbers
20-31                 0
32-                   data: pieces of RAM, compressed with zlib (RFC 1950), one after the other
index                 :class:`guestmap.machine.saved.content.SavedMachine` as MessagePack
last 48               where the index begins (8 bytes), its length (8), and BLAKE2b (32 bytes;
                      RFC 7693) of all that comes before
====================  ==========================================================================

The index comes last because a piece's length is known once it is compressed. Nothing of a file is
believed before the checksum is right; it tells what was damaged or edited, and is no signature.

zlib, because it is Python's own: whatever Python there is reads the file. At level 1 a core takes
in 70 to 100 MB of programs and text in a second, and makes 40 % of them. Zstandard makes the same
in a fifth of the time; it is Python's own from 3.14 on, and then a reason for another version.
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import BinaryIO

from guestmap.base import HostError, PeerError, UnsupportedError

MAGIC = b"guestmap machine"
VERSION = 6
"""One more for each change of what the index holds: a file of another one cannot be read."""

_FRONT = struct.Struct("<16sI12x")
_END = struct.Struct("<QQ32s")
_DIGEST = 32
_BLOCK = 1 << 20
_LARGEST_INDEX = 1 << 28
"""Bytes; ten TiB of memory, all of it in use, have an index of this length."""


class SavedWriter:
    """Writes a file from its beginning to its end.

    Args:
        file: where to, at its beginning.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.blake2b(digest_size=_DIGEST)
        self._at = 0
        self.write(_FRONT.pack(MAGIC, VERSION))

    def write(self, data: bytes) -> None:
        """Add data."""
        self._file.write(data)
        self._digest.update(data)
        self._at += len(data)

    def finish(self, index: bytes) -> None:
        """Add the index, and end."""
        begin = self._at
        self.write(index)
        place = _END.pack(begin, len(index), bytes(_DIGEST))[:-_DIGEST]
        self.write(place)
        self._file.write(self._digest.digest())


class SavedReader:
    """A file that is whole: its index, and its data.

    Args:
        file: what to read; it must stay open for as long as data is asked for.
        name: of the file, for messages.
        checked: whether the checksum is looked at: not where the index is only shown.

    Attributes:
        index: the bytes of the index.
        data_length: bytes of data.

    Raises:
        PeerError: it is no such file, or not all of it, or not as it was written.
        UnsupportedError: another version of the format.
        HostError: it cannot be read.
    """

    def __init__(self, file: BinaryIO, name: str, *, checked: bool = True) -> None:
        self._file = file
        self.name = name
        self._checked = checked
        try:
            self._check()
        except OSError as error:
            raise HostError(f"cannot read {name} ({error.strerror})", call="read") from error

    def _check(self) -> None:
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(0)
        front = self._file.read(_FRONT.size)
        if front[: len(MAGIC)] != MAGIC[: len(front)] or not front:
            raise PeerError(f"{self.name} is no saved machine: 'guestmap boot --save' writes one")
        if size < _FRONT.size + _END.size:
            raise self._damaged("it ends after its first bytes")
        version = _FRONT.unpack(front)[1]
        if version != VERSION:
            raise UnsupportedError(
                f"{self.name} is a saved machine of format {version}: this guestmap reads {VERSION}"
            )
        self._file.seek(size - _END.size)
        begin, length, digest = _END.unpack(self._file.read(_END.size))
        if begin < _FRONT.size or begin + length != size - _END.size:
            raise self._damaged("its end is missing")
        if length > _LARGEST_INDEX:
            raise self._damaged(f"its index has {length} bytes, of at most {_LARGEST_INDEX}")
        if self._checked and self._digest_of(size - _DIGEST) != digest:
            raise self._damaged("its checksum is wrong")
        self._file.seek(begin)
        self.index = self._file.read(length)
        self.data_length = begin - _FRONT.size

    def _digest_of(self, length: int) -> bytes:
        digest = hashlib.blake2b(digest_size=_DIGEST)
        self._file.seek(0)
        while length and (block := self._file.read(min(length, _BLOCK))):
            digest.update(block)
            length -= len(block)
        return digest.digest()

    def _damaged(self, why: str) -> PeerError:
        return PeerError(f"{self.name} is a saved machine that was cut short or changed: {why}")

    def data(self, begin: int, length: int) -> bytes:
        """Return data by its place among the data.

        Raises:
            PeerError: there is not so much.
            HostError: it cannot be read.
        """
        try:
            self._file.seek(_FRONT.size + begin)
            data = self._file.read(length)
        except OSError as error:
            raise HostError(f"cannot read {self.name} ({error.strerror})", call="read") from error
        if begin + length > self.data_length or len(data) != length:
            raise self._damaged(f"it has no {length} bytes of memory at {begin}")
        return data
