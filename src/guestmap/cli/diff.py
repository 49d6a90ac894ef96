"""``guestmap diff``: what changed between two maps."""

from __future__ import annotations

from typing import Annotated

import typer

from guestmap.cli.output import Json, Source, show


def diff(
    before: Source,
    after: Annotated[str, typer.Argument(metavar="SOURCE", help="The later map.")],
    as_json: Json = False,
) -> None:
    """Say what changed between two maps, range by range and region by region, and why.

    Exit status 1 where anything did.
    """
    from guestmap.cli.source import load_snapshot
    from guestmap.inspect.diff import diff as run
    from guestmap.inspect.sentences import diff_sentences

    told = run(load_snapshot(before), load_snapshot(after))
    show(told.to_json(), diff_sentences(told), as_json)
    if not told.is_empty:
        raise typer.Exit(1)
