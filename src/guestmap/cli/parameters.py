"""Parameters that many sub-commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from guestmap.cli.completing import sources, spaces

GIVEN_UP = (
    " A socket where no greeting comes for 3 s, or no answer for 30 s, is given up, as libvirt is"
    " when it is silent for 30 s."
)
SOURCE_HELP = (
    "A running machine (unix:SOCKET, tcp:HOST:PORT, libvirt:NAME), a snapshot in JSON, the text or"
    " a folder of 'info mtree', - for standard input, a machine that 'boot --save' saved, or a PC"
    " of guestmap's own: 'boot' (after its firmware ran) or 'reset', with RAM as in 'boot:4G'."
    + GIVEN_UP
)
Source = Annotated[str, typer.Argument(metavar="SOURCE", help=SOURCE_HELP, autocompletion=sources)]
OneSpace = Annotated[
    str | None,
    typer.Option("--as", help="Only this address space: memory, I/O ...", autocompletion=spaces),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of sentences.")]
