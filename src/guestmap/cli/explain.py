"""``guestmap explain``: who answers at an address or in a range, and why nobody else does."""

from __future__ import annotations

from typing import Annotated

import typer

from guestmap.base import parse_address, parse_address_range
from guestmap.cli.board_option import At, Board, own_source
from guestmap.cli.completing import spaces
from guestmap.cli.output import Json, Source, show, with_notes


def explain(
    source: Source,
    address: Annotated[
        str,
        typer.Argument(
            help=(
                "Hexadecimal: 0xc9000, c9000h, 16 digits; f000:fff0; 640K. Or a range as tables"
                " print it, c0000-e7fff: its first 16 answers."
            )
        ),
    ],
    space: Annotated[
        str,
        typer.Option(
            "--as", help="The address space: memory, I/O, cpu-smm-0 ...", autocompletion=spaces
        ),
    ] = "memory",
    machine: Board = "",
    at: At = "",
    as_json: Json = False,
) -> None:
    """Say who answers at an address or in a range, by which way, its RAM, and why others do not.

    Of a range this is said of each answer in it, at the address where that begins.
    """
    from guestmap.cli.source import load_snapshot
    from guestmap.inspect.ask.explain import explain as run
    from guestmap.inspect.ask.explain_range import explain_range
    from guestmap.inspect.ask.sentences import explain_range_sentences, explain_sentences

    source = own_source(source, machine, at)
    if "-" in address:
        first, last = parse_address_range(address)
        snapshot = load_snapshot(source)
        each = explain_range(snapshot, first, last + 1, space)
        show(
            with_notes("explain", each.to_json(), snapshot), explain_range_sentences(each), as_json
        )
        return
    where = parse_address(address)
    snapshot = load_snapshot(source)
    told = run(snapshot, where, space)
    show(with_notes("explain", told.to_json(), snapshot), explain_sentences(told), as_json)
