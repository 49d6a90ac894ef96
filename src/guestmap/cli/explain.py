"""``guestmap explain``: who answers at an address or in a range, and why nobody else does."""

from __future__ import annotations

from typing import Annotated

import typer

from guestmap.cli.board_option import AtEach, Board
from guestmap.cli.completing import spaces
from guestmap.cli.explain_answer import explain_answer
from guestmap.cli.parameters import Json, Source


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
    at: AtEach = None,
    as_json: Json = False,
) -> None:
    """Say who answers at an address or in a range, by which way, its RAM, and why others do not.

    Of a range this is said of each answer in it, at the address where that begins.
    """
    explain_answer(source, address, space, machine, at, as_json)
