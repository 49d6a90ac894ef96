"""``guestmap diff``: what changed between two maps."""

from __future__ import annotations

from typing import Annotated

import typer

from guestmap.cli.board_option import Board
from guestmap.cli.completing import sources
from guestmap.cli.output import show, warn, with_notes
from guestmap.cli.own_source import on_board
from guestmap.cli.parameters import SOURCE_HELP, Json


def diff(
    before: Annotated[str, typer.Argument(metavar="A", help=SOURCE_HELP, autocompletion=sources)],
    after: Annotated[
        str,
        typer.Argument(
            metavar="B", help="The later map: a source, like A.", autocompletion=sources
        ),
    ],
    machine: Board = "",
    as_json: Json = False,
) -> None:
    """Say what changed between two maps, range by range and region by region, and why.

    Exit status 1 where anything did.
    """
    from guestmap.cli.source import load_snapshots
    from guestmap.inspect.ask.diff import diff as run
    from guestmap.inspect.ask.diff_sentences import diff_sentences

    old, new = load_snapshots([on_board(each, machine) for each in (before, after)])
    told = run(old, new)
    for note in told.notes:
        warn(f"note: {note}")
    show(with_notes("diff", told.to_json(), old, new), diff_sentences(told), as_json)
    if not told.is_empty:
        raise typer.Exit(1)
