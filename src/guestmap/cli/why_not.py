"""``guestmap why-not``: where a region is visible, and where not because of whom."""

from __future__ import annotations

from typing import Annotated

import typer

from guestmap.cli.output import Json, Source, show, with_notes


def why_not(
    source: Source,
    region: Annotated[str, typer.Argument(help="A region's name, or its id as #12.")],
    as_json: Json = False,
) -> None:
    """Say where a region is visible, where it is not, and who is in the way."""
    from guestmap.cli.source import load_snapshot
    from guestmap.inspect.sentences import why_not_sentences
    from guestmap.inspect.why_not import why_not as run

    number = region.removeprefix("#")
    asked = int(number) if region.startswith("#") and number.isdecimal() else region
    snapshot = load_snapshot(source)
    told = run(snapshot, asked)
    show(with_notes(told.to_json(), snapshot), why_not_sentences(told), as_json)
