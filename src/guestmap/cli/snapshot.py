"""``guestmap snapshot``: a map as JSON, for later and for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guestmap.base import ConfigError, write_whole
from guestmap.cli.board_option import At, Board
from guestmap.cli.completing import sources
from guestmap.cli.output import json_text, say_of, write
from guestmap.cli.own_source import own_source
from guestmap.cli.parameters import SOURCE_HELP


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

        _write(schema_text(), output)
        return
    if source is None:
        raise ConfigError("name the SOURCE to take a snapshot of, or ask for the --schema")
    from guestmap.cli.source import load_snapshot

    taken = load_snapshot(own_source(source, machine, at), dispatch=dispatch)
    _write(json_text(taken.to_json(), indent=1) + "\n", output)
    if output is not None and str(output) != "-":
        version = f" ({taken.version})" if taken.version else ""
        say_of(
            output,
            f"{output}: {len(taken.regions)} regions, {len(taken.views)} views,"
            f" {len(taken.ram_blocks)} RAM blocks of {taken.source}{version}",
        )


def _write(text: str, output: Path | None) -> None:
    if output is None or str(output) == "-":
        write(text)
    else:
        write_whole(output, text.encode())
