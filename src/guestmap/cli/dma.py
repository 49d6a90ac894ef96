"""``guestmap dma``: what a device reaches as a bus master."""

from __future__ import annotations

from typing import Annotated

import typer

from guestmap.cli.board_option import At, Board
from guestmap.cli.completing import spaces
from guestmap.cli.output import show, with_notes
from guestmap.cli.own_source import own_source
from guestmap.cli.parameters import Json, Source


def dma(
    source: Source,
    device: Annotated[
        str,
        typer.Argument(
            help="Its address space's name, e1000 or e1000#2; or its id, where that is known.",
            autocompletion=spaces,
        ),
    ],
    machine: Board = "",
    at: At = "",
    as_json: Json = False,
) -> None:
    """Say what a device reaches by itself: memory, other devices, or an IOMMU that translates."""
    from guestmap.cli.source import load_snapshot
    from guestmap.inspect.ask.dma import dma_reach, dma_sentences

    snapshot = load_snapshot(own_source(source, machine, at))
    told = dma_reach(snapshot, device)
    show(with_notes("dma", told.to_json(), snapshot), dma_sentences(told), as_json)
