"""``guestmap ram``: where guest-physical memory lies in the RAM blocks."""

from __future__ import annotations

from typing import Annotated

import typer

from guestmap.cli.board_option import At, Board
from guestmap.cli.completing import spaces
from guestmap.cli.output import show, with_notes
from guestmap.cli.own_source import own_source
from guestmap.cli.parameters import Json, Source


def ram(
    source: Source,
    space: Annotated[
        str,
        typer.Option("--as", help="The address space: memory, I/O ...", autocompletion=spaces),
    ] = "memory",
    machine: Board = "",
    at: At = "",
    as_json: Json = False,
) -> None:
    """List guest-physical memory with the RAM block and offset behind each range."""
    from guestmap.cli.source import load_snapshot
    from guestmap.inspect.ask.ram_ranges import ram_ranges
    from guestmap.inspect.ask.sentences import ram_sentences

    snapshot = load_snapshot(own_source(source, machine, at))
    told = ram_ranges(snapshot, space)
    show(with_notes("ram", told.to_json(), snapshot), ram_sentences(told), as_json)
