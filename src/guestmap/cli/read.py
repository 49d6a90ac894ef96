"""``guestmap read``: the bytes behind a map."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guestmap.base import ConfigError, parse_address, parse_size
from guestmap.cli.board_option import AtEach, Board
from guestmap.cli.bytes_behind import OpenedBytes, opened_bytes
from guestmap.cli.output import envelope, say, say_of, show_moments, warn, write
from guestmap.cli.own_source import headings, own_sources
from guestmap.cli.parameters import Json, Source

if TYPE_CHECKING:
    from guestmap.inspect.ask.ram_files import RamPiece

_COLUMNS = 16
_AT_ONCE = 1 << 16
"""Bytes that are printed at once, of whole lines."""

_PRINTABLE = bytes(each if 0x20 <= each < 0x7F else ord(".") for each in range(256))


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
    with ExitStack() as machines:
        found = [
            machines.enter_context(opened_bytes(each, start, size, devices=device_reads, ram=ram))
            for each in own_sources(source, machine, at)
        ]
        if out is not None:
            _write(out, found[0])
        if as_json:
            show_moments("read", at, [(_form(each, out), ()) for each in found], as_json)
            return
        if out is not None:
            for line in (*map(_place, found[0].pieces), f"{size} bytes in {out}"):
                say_of(out, line)
            return
        for heading, each in zip(headings(at), found, strict=True):
            _print(each, heading)


def _refuse_ram_file(out: Path, ram: list[str]) -> None:
    from guestmap.inspect.ask.ram_files import RamFiles

    RamFiles.parse(ram).refuse_to_write(out)


def _write(out: Path, found: OpenedBytes) -> None:
    from guestmap.base.whole_file import whole_file

    with whole_file(out) as file:
        for block in found.blocks:
            file.write(block)


def _form(found: OpenedBytes, out: Path | None) -> dict[str, Any]:
    """Return the JSON form; without the bytes if a file has them."""
    form: dict[str, Any] = {
        "start": found.start,
        "end": found.start + found.size,
        "ranges": [
            {"start": each.start, "end": each.start + each.size, "name": each.name,
             "type": each.type}
            for each in found.ranges
        ],
        "places": [each.to_json() for each in found.pieces],
        "hex": None if out is not None else b"".join(found.blocks).hex(),
        "file": None if out is None else str(out),
    }  # fmt: skip
    return envelope("read", form)


def _print(found: OpenedBytes, heading: str) -> None:
    """Print the bytes as they come, below a heading if there is one."""
    indent = ""
    if heading:
        say(heading)
        indent = "  "
    for piece in found.pieces:
        say(indent + _place(piece))
    at = found.start
    for block in found.blocks:
        for part in range(0, len(block), _AT_ONCE):
            write(hexdump(at + part, block[part : part + _AT_ONCE], indent))
        at += len(block)


def _place(piece: RamPiece) -> str:
    return (
        f"{piece.start:016x}-{piece.end - 1:016x}  {piece.block} @{piece.offset:x},"
        f" byte {piece.file_offset:#x} of {piece.file}"
    )


def hexdump(start: int, data: bytes, indent: str = "") -> str:
    """Return lines of 16 bytes, with their address and as ASCII."""
    text = data.translate(_PRINTABLE).decode("ascii")
    width = 3 * _COLUMNS - 1
    return "".join(
        f"{indent}{start + at:016x}  {data[at : at + _COLUMNS].hex(' '):<{width}}"
        f"  |{text[at : at + _COLUMNS]}|\n"
        for at in range(0, len(data), _COLUMNS)
    )
