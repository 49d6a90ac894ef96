"""Bytes of guest RAM from files of it beside a map: dumps, and memory-backend-file paths.

A file has a RAM block's bytes from its first one on, as QEMU's file-backed memory and ``pmemsave``
of a whole block write it; or from another one, which is the ``offset=`` of memory-backend-file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from stat import S_ISBLK, S_ISREG
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from guestmap.base import ConfigError, HostError, parse_size
from guestmap.inspect.map.report import Report

if TYPE_CHECKING:
    from guestmap.inspect.ask.ram_ranges import RamTable

_OFFSET: Final = ",offset="
_BLOCK: Final = 1 << 20
_LARGEST_FILE: Final = (1 << 63) - 1
"""Bytes: POSIX's ``off_t`` has a sign."""


@dataclass(frozen=True, slots=True)
class RamPiece(Report):
    """Guest-physical addresses ``start <= a < end``, and where their bytes lie.

    Attributes:
        block: the RAM block.
        offset: of ``start`` in the block.
        file: its path on this host.
        file_offset: of ``start`` in the file.
    """

    start: int
    end: int
    block: str
    offset: int
    file: str
    file_offset: int


class RamFile(NamedTuple):
    """A file with a RAM block's bytes, the first of them at ``offset``."""

    path: Path
    offset: int = 0


class RamFiles:
    """Files by the RAM blocks that are in them.

    Args:
        files: by block; a block's name may be given without the path of its owner.
    """

    def __init__(self, files: Mapping[str, RamFile]) -> None:
        self._files = dict(files)

    @classmethod
    def parse(cls, texts: list[str]) -> Self:
        """Read ``BLOCK=FILE[,offset=SIZE]``, for example ``pc.ram=/dev/shm/guest,offset=2M``.

        Raises:
            ConfigError: it is not that.
        """
        files = {}
        for text in texts:
            block, equals, path = text.partition("=")
            if not (block and equals and path) or path.startswith(_OFFSET):
                raise ConfigError(
                    f"--ram {text!r}: write BLOCK=FILE[,offset=SIZE], for example pc.ram=guest.ram"
                )
            if block in files:
                raise ConfigError(f"--ram {text!r}: {block} has a file already")
            files[block] = _ram_file(path)
        return cls(files)

    def refuse_to_write(self, path: Path) -> None:
        """Refuse a place to write to that is one of the files: a guest may live in it.

        Raises:
            ConfigError: it is, by whatever name.
        """
        for block, file in self._files.items():
            with suppress(OSError):  # one of them is not there
                if path.samefile(file.path):
                    raise ConfigError(f"{path} has the bytes of {block}: write to another file")

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
            found.append(
                RamPiece(at, until, each.place.block, offset, str(file.path), file.offset + offset)
            )
            at = until
        if at < end:
            raise ConfigError(f"there is no memory at {at:#x}: ask 'guestmap explain' who is there")
        return tuple(found)

    def _file(self, block: str, address: int) -> RamFile:
        file = self._files.get(block) or self._files.get(block.rpartition("/")[2])
        if file is None:
            given = ", ".join(self._files)
            raise ConfigError(
                f"{address:#x} is in RAM block {block!r}, whose file is not given (those of {given}"
                f" are): add --ram {block}=FILE"
            )
        return file


def _ram_file(text: str) -> RamFile:
    path, given, offset = text.rpartition(_OFFSET)
    if not given:
        return RamFile(Path(text))
    return RamFile(Path(path), parse_size(offset, what=f"--ram {text!r}: offset"))


def read_pieces(pieces: tuple[RamPiece, ...]) -> bytes:
    """Return the bytes; raises as :func:`read_blocks`."""
    return b"".join(read_blocks(pieces))


def read_blocks(pieces: tuple[RamPiece, ...]) -> Iterator[bytes]:
    """Return the bytes, a MiB or less at a time; what can be wrong is looked for at once.

    Raises:
        ConfigError: a file ends before them, or is none that has bytes, such as a named pipe.
        HostError: one cannot be read.
    """
    for piece in pieces:
        _check(piece)
    return _blocks(pieces)


def _blocks(pieces: tuple[RamPiece, ...]) -> Iterator[bytes]:
    for piece in pieces:
        with _reading(piece.file), Path(piece.file).open("rb") as file:
            file.seek(piece.file_offset)
            for at in range(piece.start, piece.end, _BLOCK):
                size = min(_BLOCK, piece.end - at)
                block = file.read(size)
                if len(block) < size:
                    raise _too_short(piece, file.seek(0, SEEK_END))
                yield block


def _check(piece: RamPiece) -> None:
    end = piece.file_offset + piece.end - piece.start
    if end > _LARGEST_FILE:
        raise ConfigError(
            f"{piece.start:#x} would be byte {piece.file_offset:#x} of {piece.file!r}: no file"
            " is that large"
        )
    with _reading(piece.file):
        mode = Path(piece.file).stat().st_mode
        if not (S_ISREG(mode) or S_ISBLK(mode)):  # a pipe would be waited for, for ever
            raise ConfigError(
                f"{piece.file!r} has no bytes of {piece.block}: give a regular file, or a block"
                " device"
            )
        with Path(piece.file).open("rb") as file:
            size = file.seek(0, SEEK_END)
    if size < end:
        raise _too_short(piece, size)


def _too_short(piece: RamPiece, end: int) -> ConfigError:
    return ConfigError(
        f"{piece.file!r} ends at {end:#x};"
        f" {piece.start:#x} is byte {piece.offset:#x} of {piece.block}, which is byte"
        f" {piece.file_offset:#x} of the file: is it a file of another machine?"
    )


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Say which file the host refuses to read."""
    try:
        yield
    except OSError as error:
        raise HostError(
            f"cannot read {path!r}", errno=error.errno, call="read", arguments=path
        ) from error
