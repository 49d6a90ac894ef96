"""``guestmap ram``: where guest-physical memory lies in the RAM blocks."""

from __future__ import annotations

from typing import Annotated

import typer

from guestmap.cli.board_option import AtEach, Board
from guestmap.cli.completing import spaces
from guestmap.cli.output import show_moments, with_notes
from guestmap.cli.own_source import own_sources
from guestmap.cli.parameters import Json, Source


def ram(
    source: Source,
    space: Annotated[
        str,
        typer.Option("--as", help="The address space: memory, I/O ...", autocompletion=spaces),
    ] = "memory",
    machine: Board = "",
    at: AtEach = None,
    as_json: Json = False,
) -> None:
    """List guest-physical memory with the RAM block and offset behind each range."""
    from guestmap.cli.source import load_snapshots
    from guestmap.inspect.ask.ram_ranges import ram_ranges
    from guestmap.inspect.ask.sentences import ram_sentences

    maps = load_snapshots(own_sources(source, machine, at))
    listed = [(ram_ranges(each, space), each) for each in maps]
    answers = [
        (with_notes("ram", told.to_json(), each), ram_sentences(told)) for told, each in listed
    ]
    show_moments("ram", at, answers, as_json)
