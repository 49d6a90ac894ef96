"""``guestmap conform``: hold guestmap to recordings of a real QEMU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from guestmap.base import ConfigError, GuestmapError
from guestmap.cli.console import console
from guestmap.cli.output import say
from guestmap.conform import Differs, Equal, Result, Unsupported, count_files
from guestmap.conform import conform as run
from guestmap.firmware.images import find_bios, load_bios, seabios_version
from guestmap.machine import stopped_machine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from guestmap.conform.results import How


def conform(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Recordings: files, folders, or tar archives of them.", metavar="PATH"),
    ],
) -> None:
    """Run recordings of a real QEMU and print where guestmap's answers are not QEMU's.

    One line for each recording that differs: the first difference, both sides. A folder of
    'info mtree' texts counts twice: its tree rebuilt from its own text alone, and with the flat
    view's text as evidence. Where the text alone does not tell, and no rule does, the line says
    what was concluded wrongly. Recordings that need what guestmap lacks, or that were made with
    another SeaBIOS than the installed one and differ, are counted apart.

    Exit status 1 where a recording differs. A tree that was rebuilt from its text alone does not
    count there, where the machine is not x86.
    """
    recordings = run(paths, stopped_machine, seabios=_installed_seabios())
    results = list(_watched(recordings, count_files(paths)))
    if not results:
        raise ConfigError(f"no recordings found in {', '.join(str(path) for path in paths)}")
    apart = [each for each in results if isinstance(each, Unsupported)]
    for each in apart:
        say(str(each))
    tried = [each for each in results if not isinstance(each, Unsupported)]
    for line in _counts(tried, len(apart)):
        say(line)
    if any(not isinstance(each, Equal) and not _is_excused(each) for each in tried):
        raise typer.Exit(1)


def _installed_seabios() -> str:
    """Return the version of the SeaBIOS that our machines start with; "" where it is not known."""
    try:
        return seabios_version(load_bios(find_bios()))
    except GuestmapError:
        return ""


def _counts(tried: Sequence[Result], apart: int) -> Iterator[str]:
    """Yield a line for recordings, and one for each way to rebuild captures."""
    ways: dict[How | None, list[Result]] = {}
    for each in tried:
        ways.setdefault(None if isinstance(each, Unsupported) else each.how, []).append(each)
    if apart or not ways:
        ways.setdefault(None, [])
    for how in (None, "text alone", "with flat view"):
        if how in ways:
            equal = sum(isinstance(each, Equal) for each in ways[how])
            label = f"{how}: " if how else ""
            note = f", {apart} unsupported" if apart and how is None else ""
            yield f"{label}{equal} of {len(ways[how])} equal{note}"


def _is_excused(result: Result) -> bool:
    return isinstance(result, Differs) and result.excused


def _watched(results: Iterable[Result], total: int | None) -> Iterable[Result]:
    """Print differences as they come, below them a progress bar where stderr is a terminal."""
    err = console(stderr=True)
    columns = (TextColumn("conform"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("conform", total=total)
        for each in results:
            if not isinstance(each, (Equal, Unsupported)):
                progress.stop()
                say(str(each))
                progress.start()
            progress.advance(task)
            yield each
