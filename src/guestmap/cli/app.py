"""The application: its sub-commands, and how errors end it."""

from __future__ import annotations

import sys

import typer

from guestmap import __version__
from guestmap.base import GuestmapError
from guestmap.cli.boot import boot
from guestmap.cli.conform import conform
from guestmap.cli.diff import diff
from guestmap.cli.dimms import dimms
from guestmap.cli.draw import draw
from guestmap.cli.explain import explain
from guestmap.cli.flat import flat
from guestmap.cli.lint import lint
from guestmap.cli.plug import plug
from guestmap.cli.plug_exits import status_table
from guestmap.cli.ram import ram
from guestmap.cli.serve import serve
from guestmap.cli.snapshot import snapshot
from guestmap.cli.tree import tree
from guestmap.cli.unplug import unplug
from guestmap.cli.watch import watch
from guestmap.cli.why_not import why_not

FAILURE = 2
"""Exit status for an error that has a reason; 1 is for a comparison that differs."""

app = typer.Typer(
    name="guestmap",
    help="The guest-physical memory of a PC virtual machine: modelled, run, read and explained.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(boot)
app.command()(conform)
app.command()(draw)
app.command()(serve)
app.command()(explain)
app.command("why-not")(why_not)
app.command()(diff)
app.command()(lint)
app.command()(ram)
app.command()(tree)
app.command()(flat)
app.command()(watch)
app.command()(snapshot)
app.command(epilog=status_table())(plug)
app.command(epilog=status_table())(unplug)
app.command()(dimms)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"guestmap {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    del version


def run() -> None:
    """Run the application with the program's arguments."""
    try:
        app()
    except GuestmapError as error:
        print(f"guestmap: {error}", file=sys.stderr)
        sys.exit(FAILURE)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has seen enough
        sys.exit(0)
