"""``guestmap why-not``: where a region is visible, and where not because of whom."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guestmap.cli.board_option import AtEach, Board
from guestmap.cli.completing import regions
from guestmap.cli.output import show_moments, with_notes
from guestmap.cli.own_source import own_sources
from guestmap.cli.parameters import Json, OneSpace, Source

if TYPE_CHECKING:
    from guestmap.inspect import Snapshot
    from guestmap.inspect.ask.pci import Unmapped


def why_not(
    source: Source,
    region: Annotated[
        str,
        typer.Argument(help="A region's name, or its id as #12.", autocompletion=regions),
    ],
    space: OneSpace = None,
    machine: Board = "",
    at: AtEach = None,
    as_json: Json = False,
) -> None:
    """Say where a region is visible, where it is not, and who is in the way.

    Of a running machine's device region that is in no tree, such as one behind a BAR that the guest
    has not mapped yet, it says whose it is and what is missing.
    """
    from guestmap.cli.source import load_snapshots

    sources = own_sources(source, machine, at)
    maps = load_snapshots(sources)
    if space is not None:
        from guestmap.inspect.ask.one_space import with_one_space

        maps = [with_one_space(each, space) for each in maps]
    answers = [_answer(*each, region) for each in zip(sources, maps, strict=True)]
    show_moments("why-not", at, answers, as_json)


def _answer(source: str, snapshot: Snapshot, region: str) -> tuple[dict[str, Any], list[str]]:
    from guestmap.cli.source import is_own, is_saved_machine
    from guestmap.inspect.ask.pci.words import unmapped_sentences
    from guestmap.inspect.ask.why_not import why_not as run
    from guestmap.inspect.ask.why_not_sentences import why_not_sentences

    number = region.removeprefix("#")
    asked = int(number) if region.startswith("#") and number.isdecimal() else region
    is_known = any(asked in (each.name, each.id) for each in snapshot.regions)
    if not is_known and (found := _unmapped(source, region)):
        form = with_notes("why-not", {"unmapped": [each.to_json() for each in found]}, snapshot)
        return form, list(unmapped_sentences(found))
    told = run(snapshot, asked)
    sentences = list(why_not_sentences(told))
    form = with_notes("why-not", told.to_json(), snapshot)
    sights = [sight for each in told.regions for sight in each.sights if sight.visible]
    is_seen = any({"memory", "I/O"} & set(sight.spaces) for sight in sights)
    if not is_seen and not is_own(source) and not is_saved_machine(source):
        name = told.regions[0].region.name
        found = [each for each in _unmapped(source, name) if each.bar is not None]
        sentences += unmapped_sentences(found, in_tree=True)
        form["unmapped"] = [each.to_json() for each in found]
    return form, sentences


def _unmapped(source: str, name: str) -> list[Unmapped]:
    """Return the regions of this name that a machine has, and why its map has them not.

    Files cannot be asked, and a machine that knows no PCI has nothing to tell.
    """
    from guestmap.cli.pci import attached, is_machine
    from guestmap.inspect.ask.pci import read_pci, why_unmapped
    from guestmap.qmp.client import CommandError

    if not is_machine(source):
        return []
    with attached(source) as machine, suppress(CommandError):
        return why_unmapped(read_pci(machine.monitor), name)
    return []
