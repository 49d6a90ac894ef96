"""``guestmap snapshot``: a map as JSON, for later and for other programs."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guestmap.base import ConfigError, whole_file
from guestmap.cli.board_option import At, Board
from guestmap.cli.completing import sources
from guestmap.cli.json_pieces import json_pieces
from guestmap.cli.output import say_of, write
from guestmap.cli.own_source import own_source
from guestmap.cli.parameters import SOURCE_HELP

if TYPE_CHECKING:
    from collections.abc import Iterable


def snapshot(
    source: Annotated[
        str | None,
        typer.Argument(metavar="SOURCE", help=SOURCE_HELP, autocompletion=sources),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to; else stdout.")
    ] = None,
    dispatch: Annotated[
        bool, typer.Option("--dispatch", "-d", help="Put in how QEMU looks views up.")
    ] = False,
    machine: Board = "",
    at: At = "",
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of snapshots instead.")
    ] = False,
) -> None:
    """Save a map as JSON: trees, views, RAM blocks. What reads a map takes the file back."""
    if schema:
        if source is not None or dispatch:
            raise ConfigError("--schema is that of all snapshots: give it no SOURCE and no -d")
        from guestmap.inspect.map.schema import schema_text

        _write([schema_text()], output)
        return
    if source is None:
        raise ConfigError("name the SOURCE to take a snapshot of, or ask for the --schema")
    from guestmap.cli.source import load_snapshot

    taken = load_snapshot(own_source(source, machine, at), dispatch=dispatch)
    _write(chain(json_pieces(taken), "\n"), output)
    if output is not None and str(output) != "-":
        version = f" ({taken.version})" if taken.version else ""
        say_of(
            output,
            f"{output}: {len(taken.regions)} regions, {len(taken.views)} views,"
            f" {len(taken.ram_blocks)} RAM blocks of {taken.source}{version}",
        )


def _write(pieces: Iterable[str], output: Path | None) -> None:
    if output is None or str(output) == "-":
        for piece in pieces:
            write(piece)
        return
    with whole_file(output) as file:
        for piece in pieces:
            file.write(piece.encode())
