"""``guestmap roms``: what firmware, kernels and option ROMs are loaded where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.cli.board_option import AtEach, Board
from guestmap.cli.output import show_moments, warn, with_notes
from guestmap.cli.own_source import own_sources
from guestmap.cli.parameters import Json, Source

if TYPE_CHECKING:
    from guestmap.inspect import Snapshot
    from guestmap.inspect.text.info_roms import LoadedImage


def roms(source: Source, machine: Board = "", at: AtEach = None, as_json: Json = False) -> None:
    """Say what firmware, kernels and option ROMs are loaded where, and who answers there.

    A machine is asked for its loader's images; of a map alone the memory that cannot be written is
    told, and the option ROMs that no address shows.
    """
    from guestmap.inspect.ask.roms import rom_sentences, rom_table

    answers = []
    for each in own_sources(source, machine, at):
        snapshot, images = _read(each)
        told = rom_table(snapshot, images)
        answers.append((with_notes("roms", told.to_json(), snapshot), rom_sentences(told)))
    show_moments("roms", at, answers, as_json)


def _read(source: str) -> tuple[Snapshot, tuple[LoadedImage, ...] | None]:
    from guestmap.cli.pci import attached, is_machine
    from guestmap.cli.source import load_snapshot
    from guestmap.inspect.text.info_roms import read_info_roms

    if not is_machine(source):
        return load_snapshot(source), None
    with attached(source) as found:
        text = found.monitor.human("info roms")
        snapshot = found.snapshot()
    if text.startswith(("info: ", "unknown command", "invalid command")):
        warn(f"note: {found.source} does not tell what it loaded: it has no 'info roms'")
        return snapshot, None
    return snapshot, read_info_roms(text)
