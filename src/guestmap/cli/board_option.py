"""``-M`` and ``--at``: which board a machine of guestmap's own is, and at which moment."""

from __future__ import annotations

from typing import Annotated

import typer

from guestmap.base import GuestmapError
from guestmap.cli.completing import boards


def _help(text: str) -> str:
    """Print what ``-M help`` and ``-M NAME,help`` ask for, and end."""
    if text.endswith(("help", "?")):
        from guestmap.machine.boards import machine_help

        try:
            told = machine_help(text)
        except GuestmapError as error:
            raise typer.BadParameter(str(error)) from error
        if told is not None:
            typer.echo(told, nl=False)
            raise typer.Exit
    return text


Board = Annotated[
    str,
    typer.Option(
        "-M", "--machine", metavar="NAME[,OPTION=VALUE...]", callback=_help, is_eager=True,
        autocompletion=boards,
        help="The board of 'reset' and 'boot', such as microvm; 'help' lists boards, 'NAME,help'"
        " a board's options.",
    ),
]  # fmt: skip


At = Annotated[
    str,
    typer.Option(
        "--at", metavar="MOMENT",
        help="A moment of 'boot' instead of its end: a phase as it begins (setup), or a time by"
        " the machine's clock (61ms).",
    ),
]  # fmt: skip

AtEach = Annotated[
    list[str] | None,
    typer.Option(
        "--at", metavar="MOMENT",
        help="A moment of 'boot' instead of its end: a phase as it begins (setup), or a time by"
        " the machine's clock (61ms). Given several times, each is answered.",
    ),
]  # fmt: skip
