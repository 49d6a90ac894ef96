"""``guestmap read``: the bytes behind a map."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from guestmap.base import ConfigError, StateError, parse_address, parse_size
from guestmap.cli.board_option import AtEach, Board
from guestmap.cli.output import envelope, show_moments, warn
from guestmap.cli.own_source import own_sources
from guestmap.cli.parameters import Json, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from guestmap.inspect.ask.ram_files import RamPiece
    from guestmap.inspect.map.snapshot import RangeInfo

_COLUMNS = 16


def read(
    source: Source,
    address: Annotated[str, typer.Argument(help="As 'explain' takes it: 0xc9000, f000:fff0.")],
    length: Annotated[str, typer.Argument(help="How many bytes: 64, 4K, 0x200; at most 16M.")],
    machine: Board = "",
    at: AtEach = None,
    device_reads: Annotated[
        bool,
        typer.Option(
            "--device-reads", help="Read devices, too: such a read can change what they do."
        ),
    ] = False,
    ram: Annotated[
        list[str] | None,
        typer.Option(
            metavar="BLOCK=FILE[,offset=SIZE]",
            help="Beside a map: a file with a RAM block's bytes, as memory-backend-file makes it,"
            " whose offset= is taken, too.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the bytes there, on this host.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the bytes at a guest-physical address, of our own machine or a running one.

    Memory alone is read. A device is not, unless --device-reads says so. Where the source is a map
    in a file, --ram gives files of its RAM: which block and which byte of it is told, too.
    """
    start, size = parse_address(address), parse_size(length, what="length")
    if device_reads:
        warn("caution: --device-reads: a device that is read may lose what it holds")
    if out is not None and len(at or ()) > 1:
        raise ConfigError("--out takes the bytes of one moment: name one with --at")
    if out is not None and ram:
        _refuse_ram_file(out, ram)
    found = [
        _read(each, start, size, devices=device_reads, ram=ram or [])
        for each in own_sources(source, machine, at)
    ]
    if out is not None:
        from guestmap.base.whole_file import write_whole

        write_whole(out, found[0].data)
    show_moments("read", at, [each.answer(out) for each in found], as_json)


def _refuse_ram_file(out: Path, ram: list[str]) -> None:
    from guestmap.inspect.ask.ram_files import RamFiles

    RamFiles.parse(ram).refuse_to_write(out)


class _Bytes(NamedTuple):
    """What was read: from where in the map, and from where in files of RAM blocks."""

    start: int
    data: bytes
    ranges: tuple[RangeInfo, ...]
    pieces: tuple[RamPiece, ...] = ()

    def answer(self, out: Path | None) -> tuple[dict[str, Any], Iterable[str]]:
        """Return the JSON form, and the lines for people; without the bytes if a file has them."""
        size = len(self.data)
        form: dict[str, Any] = {
            "start": self.start,
            "end": self.start + size,
            "ranges": [
                {"start": each.start, "end": each.start + each.size, "name": each.name,
                 "type": each.type}
                for each in self.ranges
            ],
            "places": [each.to_json() for each in self.pieces],
            "hex": None if out is not None else self.data.hex(),
            "file": None if out is None else str(out),
        }  # fmt: skip
        written = iter((f"{size} bytes in {out}",))
        lines = hexdump(self.start, self.data) if out is None else written
        return envelope("read", form), chain(map(_place, self.pieces), lines)


def _read(source: str, start: int, size: int, *, devices: bool, ram: list[str]) -> _Bytes:
    if ram:
        return _of_files(source, start, size, ram)
    from guestmap.cli.source import opened_machine
    from guestmap.inspect import Snapshot
    from guestmap.inspect.ask.readable import readable

    with opened_machine(source) as board:
        if board is not None:
            ranges = readable(Snapshot.of(board.system), start, size, devices=devices)
            return _Bytes(start, bytes(board.cpu_memory.read(start, size)), ranges)
    return _live(source, start, size, devices=devices)


def _place(piece: RamPiece) -> str:
    return (
        f"{piece.start:016x}-{piece.end - 1:016x}  {piece.block} @{piece.offset:x},"
        f" byte {piece.file_offset:#x} of {piece.file}"
    )


def _of_files(source: str, start: int, size: int, texts: list[str]) -> _Bytes:
    from guestmap.cli.source import load_snapshot
    from guestmap.inspect.ask.ram_files import RamFiles, read_pieces
    from guestmap.inspect.ask.ram_ranges import ram_ranges
    from guestmap.inspect.ask.readable import readable

    files = RamFiles.parse(texts)
    snapshot = load_snapshot(source)
    ranges = readable(snapshot, start, size, devices=None)
    pieces = files.pieces(ram_ranges(snapshot), start, size)
    return _Bytes(start, read_pieces(pieces), ranges, pieces)


def _live(source: str, start: int, size: int, *, devices: bool) -> _Bytes:
    from guestmap.cli.source import load_snapshot
    from guestmap.inspect.ask.readable import readable
    from guestmap.inspect.sources.live.open import attach
    from guestmap.inspect.sources.live.physical import read_physical
    from guestmap.qmp.client.address import parse_target

    target = None if Path(source).is_file() else parse_target(source)
    if target is None:
        if not Path(source).exists():
            load_snapshot(source)  # tells what is wrong, where it is none
        raise ConfigError(
            f"{source!r} is a map alone: bytes are in a machine: name a running one, or give files"
            " of its RAM as --ram pc.ram=FILE"
        )
    with attach(target) as machine:
        ranges = readable(machine.snapshot(trees=False), start, size, devices=devices)
        data = read_physical(machine.monitor, start, size)
        if readable(machine.snapshot(trees=False), start, size, devices=True) != ranges:
            raise StateError(f"the map changed at {start:#x} while it was read: try again")
    return _Bytes(start, data, ranges)


def hexdump(start: int, data: bytes) -> Iterator[str]:
    """Yield lines of 16 bytes, with their address and as ASCII."""
    for at in range(0, len(data), _COLUMNS):
        row = data[at : at + _COLUMNS]
        text = "".join(chr(each) if 0x20 <= each < 0x7F else "." for each in row)
        yield f"{start + at:016x}  {row.hex(' '):<{3 * _COLUMNS - 1}}  |{text}|"
