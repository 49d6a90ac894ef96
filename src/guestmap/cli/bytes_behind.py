"""The bytes behind a map, a piece at a time: of our own machine, a running one, files of RAM."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from guestmap.base import ConfigError, StateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.inspect.ask.ram_files import RamPiece
    from guestmap.inspect.map.snapshot import RangeInfo
    from guestmap.inspect.sources.live.attachment import Attachment
    from guestmap.memory import AddressSpace

_BLOCK = 1 << 20
"""Bytes that are read at once: one after another, what is told is told soon."""


class OpenedBytes(NamedTuple):
    """What is to be read: from where in the map, and from where in files of RAM blocks.

    Attributes:
        start: guest-physical address.
        size: bytes.
        ranges: what shows there, in order.
        blocks: the bytes, block by block; they can be had once, while the source is open.
        pieces: where they are in files; empty where it is a machine that has them.
    """

    start: int
    size: int
    ranges: tuple[RangeInfo, ...]
    blocks: Iterator[bytes]
    pieces: tuple[RamPiece, ...] = ()


@contextmanager
def opened_bytes(
    source: str, start: int, size: int, *, devices: bool, ram: list[str] | None
) -> Iterator[OpenedBytes]:
    """Open a source for the length of a ``with`` block, to read some of its bytes.

    Args:
        source: as every command takes it.
        start: guest-physical address.
        size: bytes.
        devices: whether devices may be read.
        ram: ``BLOCK=FILE[,offset=SIZE]``, beside a map in a file.

    Raises:
        ConfigError: the source has no bytes there.
    """
    if ram:
        yield _of_files(source, start, size, ram)
        return
    from guestmap.cli.source import opened_machine
    from guestmap.inspect import Snapshot
    from guestmap.inspect.ask.readable import readable

    with opened_machine(source) as board:
        if board is not None:
            ranges = readable(Snapshot.of(board.system), start, size, devices=devices)
            yield OpenedBytes(start, size, ranges, _own_blocks(board.cpu_memory, start, size))
            return
    with _opened_live(source, start, size, devices=devices) as found:
        yield found


def _own_blocks(space: AddressSpace, start: int, size: int) -> Iterator[bytes]:
    for at, length in _steps(start, size):
        yield bytes(space.read(at, length))


def _steps(start: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield address and size of one block after another."""
    for at in range(start, start + size, _BLOCK):
        yield at, min(_BLOCK, start + size - at)


def _of_files(source: str, start: int, size: int, texts: list[str]) -> OpenedBytes:
    from guestmap.cli.source import load_snapshot
    from guestmap.inspect.ask.ram_files import RamFiles, read_blocks
    from guestmap.inspect.ask.ram_ranges import ram_ranges
    from guestmap.inspect.ask.readable import readable

    files = RamFiles.parse(texts)
    snapshot = load_snapshot(source)
    ranges = readable(snapshot, start, size, devices=None)
    pieces = files.pieces(ram_ranges(snapshot), start, size)
    return OpenedBytes(start, size, ranges, read_blocks(pieces), pieces)


@contextmanager
def _opened_live(source: str, start: int, size: int, *, devices: bool) -> Iterator[OpenedBytes]:
    from guestmap.cli.patience import asked_machine, patience
    from guestmap.cli.source import load_snapshot
    from guestmap.inspect.ask.readable import readable
    from guestmap.inspect.sources.open import target_of

    target = target_of(source)
    if target is None:
        if not Path(source).exists():
            load_snapshot(source)  # tells what is wrong, where it is none
        raise ConfigError(
            f"{source!r} is a map alone: bytes are in a machine: name a running one, or give files"
            " of its RAM as --ram pc.ram=FILE"
        )
    with asked_machine(source, target) as machine:
        with patience(source):
            ranges = readable(machine.snapshot(trees=False), start, size, devices=devices)
        blocks = _live_blocks(machine, start, size, ranges, words=not devices)
        yield OpenedBytes(start, size, ranges, blocks)


def _live_blocks(
    machine: Attachment, start: int, size: int, ranges: tuple[RangeInfo, ...], *, words: bool
) -> Iterator[bytes]:
    """Yield the bytes, each block when the map is known to be still that of the beginning."""
    from guestmap.inspect.ask.readable import readable
    from guestmap.inspect.sources.live.physical import read_physical, reads_words

    words = words and reads_words(machine.monitor)
    for at, length in _steps(start, size):
        block = read_physical(machine.monitor, at, length, words=words)
        if readable(machine.snapshot(trees=False), start, size, devices=True) != ranges:
            raise StateError(f"the map changed at {at:#x} while it was read: try again")
        yield block
