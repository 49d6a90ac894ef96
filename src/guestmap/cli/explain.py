"""``guestmap explain``: who answers at an address, and why nobody else does."""

from __future__ import annotations

from typing import Annotated

import typer

from guestmap.base import parse_address
from guestmap.cli.output import Json, Source, show, with_notes


def explain(
    source: Source,
    address: Annotated[
        str,
        typer.Argument(help="Hexadecimal: 0xc9000, c9000h, 16 digits; f000:fff0; 640K."),
    ],
    space: Annotated[
        str, typer.Option("--as", help="The address space: memory, I/O, cpu-smm-0 ...")
    ] = "memory",
    as_json: Json = False,
) -> None:
    """Say who answers at an address, the way to it, its RAM, and why others do not answer."""
    from guestmap.cli.source import load_snapshot
    from guestmap.inspect.explain import explain as run
    from guestmap.inspect.sentences import explain_sentences

    where = parse_address(address)
    snapshot = load_snapshot(source)
    told = run(snapshot, where, space)
    show(with_notes(told.to_json(), snapshot), explain_sentences(told), as_json)
