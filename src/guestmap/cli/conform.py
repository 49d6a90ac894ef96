"""``guestmap conform``: hold guestmap to recordings of a real QEMU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from guestmap.base import ConfigError
from guestmap.inspect.conform import (
    Equal,
    Result,
    Unsupported,
    count_files,
)
from guestmap.inspect.conform import conform as run
from guestmap.machine import stopped_machine

if TYPE_CHECKING:
    from collections.abc import Iterable


def conform(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Recordings: files, folders, or tar archives of them.", metavar="PATH"),
    ],
) -> None:
    """Run recordings of a real QEMU and print where guestmap's answers are not QEMU's.

    One line for each recording that differs: the first difference, both sides. Recordings that need
    what guestmap lacks are listed and counted apart. Exit status 1 where any differs.
    """
    results = list(_watched(run(paths, stopped_machine), count_files(paths)))
    if not results:
        raise ConfigError(f"no recordings found in {', '.join(str(path) for path in paths)}")
    apart = [each for each in results if isinstance(each, Unsupported)]
    for each in apart:
        typer.echo(str(each))
    equal = sum(isinstance(each, Equal) for each in results)
    tried = len(results) - len(apart)
    typer.echo(f"{equal} of {tried} equal{f', {len(apart)} unsupported' if apart else ''}")
    if equal != tried:
        raise typer.Exit(1)


def _watched(results: Iterable[Result], total: int | None) -> Iterable[Result]:
    """Print differences as they come, below them a progress bar where stderr is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("conform"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("conform", total=total)
        for each in results:
            if not isinstance(each, (Equal, Unsupported)):
                progress.stop()
                typer.echo(str(each))
                progress.start()
            progress.advance(task)
            yield each
