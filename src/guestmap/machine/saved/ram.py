"""Memory that goes into a file, and comes out: pages that hold something, compressed.

A page of zeros is not stored. Nor is one looked at, where the host can tell that nobody has ever
written to it: a machine of a TiB that uses a GiB is saved like one of a GiB.
"""

from __future__ import annotations

import errno
import mmap
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, HostError, PeerError
from guestmap.machine.saved.content import LARGEST_PIECE, PAGE, SavedBlock, SavedPiece

if TYPE_CHECKING:
    from guestmap.memory.ram import RamBlock

LEVEL = 1
"""Of compression: the fastest."""

_BATCH = 64
"""Pieces that are compressed at a time: what waits to be written must not fill the memory."""

_ZEROS = bytes(LARGEST_PIECE)
_ZERO_PAGE = bytes(PAGE)
_FAR = 64 * LARGEST_PIECE
"""Bytes that are looked at together first: one question for what was never used."""

_ENTRY = 8
_THERE = 0b11 << 62
"""Of an entry of a page map: in memory, or swapped out (Linux, admin-guide/mm/pagemap.rst)."""
_OVERCOMMIT_ALWAYS = b"1"


def saved_blocks(blocks: Iterable[RamBlock]) -> Iterator[RamBlock]:
    """Yield the blocks that are saved: a back-end that nothing uses has no name, as in QEMU."""
    yield from (each for each in blocks if each.name)


def save_block(block: RamBlock, write: Callable[[bytes], None]) -> SavedBlock:
    """Write the memory of a block; return what is to be known of it."""
    pieces = []
    used = _used(block)

    def compressed(place: tuple[int, int]) -> bytes:
        offset, length = place
        return zlib.compress(block.buffer[offset : offset + length], LEVEL)

    with ThreadPoolExecutor(os.cpu_count()) as threads:  # zlib leaves the interpreter to others
        while batch := list(islice(used, _BATCH)):
            for (offset, length), data in zip(batch, threads.map(compressed, batch), strict=True):
                write(data)
                pieces.append(SavedPiece(offset, length, len(data)))
    return SavedBlock(block.name, block.used_length, block.max_length, pieces)


def load_block(block: RamBlock, saved: SavedBlock, data: Iterator[bytes]) -> None:
    """Make the memory of a block what it was.

    Args:
        block: the block; it must be as large, and nobody executes from it.
        saved: what is known of it.
        data: its pieces.

    Raises:
        PeerError: a piece is not what was compressed.
        ConfigError: it is of a file that cannot be written, and that has changed.
    """
    done = 0
    for piece, stored in zip(saved.pieces, data, strict=True):
        _clear(block, done, piece.offset)
        done = piece.offset + piece.length
        content = _decompressed(stored, piece.length)
        if content is None:
            raise PeerError(f"RAM block {block.name!r}: the piece at 0x{piece.offset:x} is broken")
        _put(block, piece.offset, content)
    _clear(block, done, block.used_length)
    block.written(0, block.used_length)
    block.dirty.mark(0, block.used_length)


def _put(block: RamBlock, at: int, content: bytes) -> None:
    """Write where that changes anything: a page that was never touched stays so."""
    view = block.buffer[at : at + len(content)]
    if bytes(view) == content:
        return
    if view.readonly:
        raise ConfigError(
            f"RAM block {block.name!r} is of a file that cannot be written, and holds something"
            " else than when the machine was saved"
        )
    view[:] = content


def _decompressed(stored: bytes, length: int) -> bytes | None:
    """Return the content of a piece; None where it is not so long, or longer."""
    reader = zlib.decompressobj()
    try:
        content = reader.decompress(stored, length)
        is_whole = not reader.decompress(reader.unconsumed_tail, 1) and reader.eof
    except zlib.error:
        return None
    return content if is_whole and len(content) == length and not reader.unused_data else None


def _clear(block: RamBlock, begin: int, end: int) -> None:
    """Make the memory between two places zeros; touch nothing that is."""
    for at, length in _there(block, begin, end):
        _put(block, at, _ZEROS[:length])


def _used(block: RamBlock) -> Iterator[tuple[int, int]]:
    """Yield runs of pages that are not zeros: offset and length."""
    for at, length in _there(block, 0, block.used_length):
        content = bytes(block.buffer[at : at + length])
        if content == _ZEROS[:length]:
            continue
        begin = -1
        for page in range(0, length, PAGE):
            if content[page : page + PAGE] == _ZERO_PAGE:
                if begin >= 0:
                    yield at + begin, page - begin
                begin = -1
            elif begin < 0:
                begin = page
        if begin >= 0:
            yield at + begin, length - begin


def _there(block: RamBlock, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the pieces between two places in which there may be something: offset and length."""
    for far in range(begin, end, _FAR):
        stop = min(far + _FAR, end)
        if _is_there(block, far, stop - far):
            for at in range(far, stop, LARGEST_PIECE):
                length = min(LARGEST_PIECE, stop - at)
                if _is_there(block, at, length):
                    yield at, length


def _is_there(block: RamBlock, offset: int, length: int) -> bool:
    """Tell whether anything can be in a part of a block: not where it was never written to."""
    host = block.host
    if host is None:
        return False
    if host.fd >= 0:
        return not host.shared or _has_data(host.fd, host.fd_offset + offset, length)
    if mmap.PAGESIZE != PAGE:
        return True
    first = (block.host_address + offset) // PAGE * _ENTRY
    size = length // PAGE * _ENTRY
    with suppress(OSError), open("/proc/self/pagemap", "rb", buffering=0) as pages:
        entries = os.pread(pages.fileno(), size, first)
        if len(entries) == size:
            return any(entries[7::_ENTRY].translate(None, _NOT_THERE))
    return True


def _has_data(fd: int, offset: int, length: int) -> bool:
    """Tell whether a part of a file is not all a hole."""
    try:
        return os.lseek(fd, offset, os.SEEK_DATA) < offset + length
    except OSError as error:  # ENXIO: a hole up to the end
        return error.errno != errno.ENXIO


_NOT_THERE = bytes(top for top in range(256) if not (top << 56) & _THERE)


def check_room(needed: int, what: str) -> None:
    """Check that the host has so much memory at all, before any of it is asked for.

    Args:
        needed: bytes.
        what: needs them.

    Raises:
        HostError: it has not.
    """
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") + _swap()
    if needed > size and not _overcommits():
        raise HostError(
            f"{what} has 0x{needed:x} bytes of memory, and this host 0x{size:x}, swap included"
        )


def _swap() -> int:
    with suppress(OSError, ValueError), open("/proc/meminfo", "rb") as file:
        for line in file:
            if line.startswith(b"SwapTotal:"):
                return int(line.split()[1]) * 1024
    return 0


def _overcommits() -> bool:
    with suppress(OSError), open("/proc/sys/vm/overcommit_memory", "rb") as file:
        return file.read().strip() == _OVERCOMMIT_ALWAYS
    return False
