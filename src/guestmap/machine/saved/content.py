"""What is in a saved machine, as values: read strictly, and checked before anything is made."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from guestmap.accel import VcpuState
from guestmap.base import ConfigError, PeerError
from guestmap.machine.phases import Phase
from guestmap.machine.run_state import RunState
from guestmap.machine.saved.config import SavedConfig

PAGE = 0x1000
LARGEST_PIECE = 1 << 20
"""Bytes of memory that are compressed together, at most."""

Size = Annotated[int, Meta(ge=0, le=1 << 62)]
Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]


class SavedPiece(NamedTuple):
    """Neighbouring pages of a RAM block that are not all zeros.

    Attributes:
        offset: of the first in the block, in bytes.
        length: bytes.
        stored: bytes in the file.
    """

    offset: Size
    length: Annotated[int, Meta(ge=PAGE, le=LARGEST_PIECE, multiple_of=PAGE)]
    stored: Annotated[int, Meta(ge=1, le=2 * LARGEST_PIECE)]


class SavedBlock(msgspec.Struct, forbid_unknown_fields=True):
    """A RAM block; its pieces stand in the file one after the other, block after block."""

    name: str
    used: Size
    largest: Size
    pieces: list[SavedPiece]

    def check(self) -> None:
        """Check that the pieces are parts of the block, in order.

        Raises:
            PeerError: they are not.
        """
        end = 0
        for piece in self.pieces:
            if piece.offset % PAGE or piece.offset < end:
                raise PeerError(f"RAM block {self.name!r}: a piece at 0x{piece.offset:x} overlaps")
            end = piece.offset + piece.length
        if end > self.used or self.used > self.largest:
            raise PeerError(
                f"RAM block {self.name!r} of 0x{self.used:x} bytes holds memory up to 0x{end:x}"
            )


class SavedFile(msgspec.Struct, forbid_unknown_fields=True):
    """A file that the machine was made from: the same must be there when it is restored."""

    path: Path
    digest: Digest


class SavedPhase(msgspec.Struct, forbid_unknown_fields=True):
    """A phase of the firmware that had begun."""

    phase: Phase
    time_ns: int
    evidence: str


class SavedMachine(msgspec.Struct, forbid_unknown_fields=True):
    """All of a machine but the bytes of its memory.

    Attributes:
        program: which guestmap wrote it, for people.
        taken_ns: when, in ns since 1970.
        engine: what ran its CPU.
        config: what it is made from.
        files: the files that this names.
        state: what it was doing.
        time_ns: its clock.
        phases, log: what the firmware did and said: time and line.
        gave_up: whether the firmware had said that it finds nothing to start.
        unfinished: the beginning of a line of the log.
        blocks: its memory.
        devices: their states, by their places in the machine.
        vcpus: its CPUs' states; None for one that executes nothing.
        map_digest: of what its processor saw, as ``info mtree -f``.
    """

    program: str
    taken_ns: int
    engine: str
    config: SavedConfig  # type: ignore[valid-type]
    files: list[SavedFile]
    state: RunState
    time_ns: Size
    phases: list[SavedPhase]
    gave_up: bool
    log: list[tuple[int, str]]
    unfinished: bytes
    blocks: list[SavedBlock]
    devices: dict[str, msgspec.Raw]
    vcpus: list[VcpuState | None]
    map_digest: Digest

    def encode(self) -> bytes:
        """Return it as MessagePack."""
        return _ENCODER.encode(self)


def decode(data: bytes, name: str, data_length: int) -> SavedMachine:
    """Read the index of a file, and check it.

    Args:
        data: the index.
        name: of the file, for messages.
        data_length: bytes of data that it has.

    Raises:
        PeerError: it makes no sense.
    """
    try:
        saved: SavedMachine = _DECODER.decode(data)
        check(saved.blocks, data_length)
    except (msgspec.DecodeError, PeerError, ConfigError, RecursionError) as error:
        raise PeerError(f"{name} is no machine that could have been saved: {error}") from error
    return saved


def check(blocks: Iterable[SavedBlock], data_length: int) -> None:
    """Check that blocks make sense, and have all of the data and no more.

    Raises:
        PeerError: they do not.
    """
    names = set()
    stored = 0
    for block in blocks:
        if block.name in names:
            raise PeerError(f"RAM block {block.name!r} is there twice")
        names.add(block.name)
        block.check()
        stored += sum(piece.stored for piece in block.pieces)
    if stored != data_length:
        raise PeerError(f"its memory is {data_length} bytes, where the index has {stored}")


def _encoded(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} is not saved")


def _decoded(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str) and "\0" not in value:
        return Path(value)
    raise TypeError(f"{reprlib.repr(value)} is no {kind.__name__}")


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_encoded)
_DECODER = msgspec.msgpack.Decoder(SavedMachine, dec_hook=_decoded)
