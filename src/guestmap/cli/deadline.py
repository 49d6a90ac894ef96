"""A wait with a deadline, shown on a terminal as it goes on."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from guestmap.cli.console import console
from guestmap.cli.patience import meanwhile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

_STEP_S = 0.1


@contextmanager
def deadline(what: str, seconds: float, *, quiet: bool = False) -> Iterator[None]:
    """Show on stderr, for the time of a ``with``, what is waited for, and how long at most.

    Args:
        what: in words.
        seconds: the deadline.
        quiet: show nothing; into a pipe nothing is shown anyway.
    """
    if quiet or not sys.stderr.isatty() or seconds <= 0:
        yield
        return
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.1f} of {task.total:g} s"),
        console=console(stderr=True),
        transient=True,
    )

    def go_on(over: Event) -> None:
        task = progress.add_task(what, total=seconds)
        while not over.wait(_STEP_S):
            progress.advance(task, _STEP_S)

    with progress, meanwhile(go_on):
        yield
