"""``-M``: which board a machine of guestmap's own is, with its options, as QEMU writes them."""

from __future__ import annotations

from typing import Annotated

import typer

from guestmap.base import ConfigError, GuestmapError
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


def own_source(source: str, machine: str, moment: str) -> str:
    """Return a source with what ``-M`` and ``--at`` say of it.

    Raises:
        ConfigError: it is no machine of guestmap's own.
    """
    from guestmap.cli.source import at_moment

    return on_board(at_moment(source, moment), machine)


def on_board(source: str, machine: str) -> str:
    """Return a source that is a machine of guestmap's own with the board that ``-M`` names.

    Raises:
        ConfigError: it is none.
    """
    if not machine:
        return source
    from guestmap.cli.source import is_own

    if not is_own(source):
        raise ConfigError(
            f"-M chooses the board of a machine of guestmap's own, and {source!r} is none: write"
            " 'reset' or 'boot'"
        )
    state, _, rest = source.partition(":")
    return f"{state}:{rest}{',' if rest else ''}machine={machine}"
