"""The application: its sub-commands, and how errors end it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import typer
from typer.core import TyperCommand

from guestmap import __version__
from guestmap.base import GuestmapError

FAILURE = 2
"""Exit status for an error that has a reason; 1 is for a comparison that differs."""

_PLUGGING = {"plug", "unplug"}
"""Commands whose help ends with a table of exit statuses."""
COMMANDS = (
    "boot", "conform", "draw", "serve", "explain", "why-not", "diff", "lint", "ram", "tree", "flat",
    "watch", "snapshot", "plug", "unplug", "dimms",
)  # fmt: skip
"""The sub-commands; each is a function of its name in a module of its name."""


def application(commands: Sequence[str] = COMMANDS) -> typer.Typer:
    """Return the application with these sub-commands; no other's modules are imported."""
    app = typer.Typer(
        name="guestmap",
        help="The guest-physical memory of a PC virtual machine: run, plugged, read and explained.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name in commands:
        python_name = name.replace("-", "_")
        module = import_module(f"guestmap.cli.{python_name}")
        kind = getattr(module, "COMMAND_CLASS", TyperCommand)
        app.command(name, cls=kind, epilog=_epilog(name))(getattr(module, python_name))
    app.callback()(_options)
    return app


def _epilog(command: str) -> str | None:
    if command not in _PLUGGING:
        return None
    from guestmap.cli.plug_exits import status_table

    return status_table()


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"guestmap {__version__}")
        raise typer.Exit


def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    del version


def run() -> None:
    """Run the application with the program's arguments."""
    first = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    try:
        application((first,) if first in COMMANDS else COMMANDS)()
    except GuestmapError as error:
        print(f"guestmap: {error}", file=sys.stderr)
        sys.exit(FAILURE)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has seen enough
        sys.exit(0)
