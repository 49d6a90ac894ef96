"""``guestmap dma``: what a device reaches as a bus master."""

from __future__ import annotations

from typing import Annotated

import typer

from guestmap.cli.board_option import AtEach, Board
from guestmap.cli.completing import spaces
from guestmap.cli.output import show_moments, with_notes
from guestmap.cli.own_source import own_sources
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
    at: AtEach = None,
    as_json: Json = False,
) -> None:
    """Say what a device reaches by itself: memory, other devices, or an IOMMU that translates."""
    from guestmap.cli.source import load_snapshots
    from guestmap.inspect.ask.dma import dma_reach, dma_sentences

    maps = load_snapshots(own_sources(source, machine, at))
    reached = [(dma_reach(each, device), each) for each in maps]
    answers = [
        (with_notes("dma", told.to_json(), each), dma_sentences(told)) for told, each in reached
    ]
    show_moments("dma", at, answers, as_json)
