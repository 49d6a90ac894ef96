"""How the sub-commands print: sentences, or JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A running machine (unix:SOCKET, tcp:HOST:PORT, libvirt:NAME), a snapshot in JSON,"
        " the text or a folder of 'info mtree', - for standard input, or a PC of guestmap's own:"
        " 'boot' (after its firmware ran) or 'reset', with RAM as in 'boot:4G'.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of sentences.")]


def show(form: Any, sentences: Iterable[str], as_json: bool) -> None:
    """Print a result's JSON form or its sentences."""
    if as_json:
        typer.echo(json.dumps(form, indent=2))
        return
    for line in sentences:
        typer.echo(line)
