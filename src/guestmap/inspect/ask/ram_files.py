"""Bytes of guest RAM from files of it beside a map: dumps, and memory-backend-file paths.

A file has a RAM block's bytes from its first one on, as QEMU's file-backed memory and ``pmemsave``
of a whole block write it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from guestmap.base import ConfigError, HostError
from guestmap.inspect.map.report import Report

if TYPE_CHECKING:
    from guestmap.inspect.ask.ram_ranges import RamTable


@dataclass(frozen=True, slots=True)
class RamPiece(Report):
    """Guest-physical addresses ``start <= a < end``, and where their bytes lie.

    Attributes:
        block: the RAM block.
        offset: of ``start`` in the block, and in the file.
        file: its path on this host.
    """

    start: int
    end: int
    block: str
    offset: int
    file: str


class RamFiles:
    """Files by the RAM blocks that are in them.

    Args:
        files: paths by block; a block's name may be given without the path of its owner.
    """

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = dict(files)

    @classmethod
    def parse(cls, texts: list[str]) -> Self:
        """Read ``BLOCK=FILE``, for example ``pc.ram=/dev/shm/guest``.

        Raises:
            ConfigError: it is not that.
        """
        files = {}
        for text in texts:
            block, equals, path = text.partition("=")
            if not (block and equals and path):
                raise ConfigError(f"--ram {text!r}: write BLOCK=FILE, for example pc.ram=guest.ram")
            files[block] = Path(path)
        return cls(files)

    def pieces(self, table: RamTable, start: int, size: int) -> tuple[RamPiece, ...]:
        """Return where the bytes of a range are.

        Raises:
            ConfigError: not all of it is memory whose block has a file.
        """
        found, at, end = [], start, start + size
        for each in table.ranges:
            if each.end <= at or at >= end:
                continue
            if each.start > at:
                break
            until = min(each.end, end)
            file = self._file(each.place.block, at)
            offset = each.place.offset + at - each.start
            found.append(RamPiece(at, until, each.place.block, offset, str(file)))
            at = until
        if at < end:
            raise ConfigError(f"there is no memory at {at:#x}: ask 'guestmap explain' who is there")
        return tuple(found)

    def _file(self, block: str, address: int) -> Path:
        file = self._files.get(block) or self._files.get(block.rpartition("/")[2])
        if file is None:
            given = ", ".join(self._files)
            raise ConfigError(
                f"{address:#x} is in RAM block {block!r}, whose file is not given (those of {given}"
                f" are): add --ram {block}=FILE"
            )
        return file


def read_pieces(pieces: tuple[RamPiece, ...]) -> bytes:
    """Return the bytes.

    Raises:
        ConfigError: a file ends before them.
        HostError: one cannot be read.
    """
    data = bytearray()
    for piece in pieces:
        size = piece.end - piece.start
        try:
            with Path(piece.file).open("rb") as file:
                file.seek(piece.offset)
                read = file.read(size)
        except OSError as error:
            raise HostError(
                f"cannot read {piece.file!r}", errno=error.errno, call="read", arguments=piece.file
            ) from error
        if len(read) < size:
            raise ConfigError(
                f"{piece.file!r} ends at {piece.offset + len(read):#x}; {piece.start:#x} is byte"
                f" {piece.offset:#x} of {piece.block}: is it a file of another machine?"
            )
        data += read
    return bytes(data)
