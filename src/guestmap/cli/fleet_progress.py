"""How far a fleet's work is, on a terminal: machines done, failed and left, rate, and time left.

The rate is that of the whole run, told anew as time goes by: where the last machines are silent,
the rate falls and the time left grows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.text import Text

from guestmap.cli.console import console


class MachinesColumn(ProgressColumn):
    """Machines by how they ended, in words."""

    def render(self, task: Task) -> Text:
        """Return the words for this moment."""
        failed, ended, total = task.fields["failed"], int(task.completed), int(task.total or 0)
        words = [f"{ended - failed} done", f"{failed} failed", f"{total - ended} left"]
        if ended and task.elapsed:
            rate = ended / task.elapsed
            left = timedelta(seconds=round((total - ended) / rate))
            words += [f"{rate:.1f} a second", f"{left} to go"]
        return Text(", ".join(words))


@contextmanager
def progress(total: int, *, quiet: bool = False) -> Iterator[Progressing]:
    """Show on a terminal's stderr how far it is; nothing into a pipe."""
    shown = Progress(
        MachinesColumn(),
        BarColumn(),
        console=console(stderr=True),
        transient=True,
        disable=quiet or not sys.stderr.isatty(),
    )
    with shown:
        yield Progressing(shown, total)


class Progressing:
    """Counts machines.

    Args:
        shown: rich's progress.
        total: machines.
    """

    def __init__(self, shown: Any, total: int) -> None:
        self._shown = shown
        self._task = shown.add_task("", total=total, failed=0)
        self.failed = 0

    def add(self, *, failed: bool) -> None:
        """Count one more."""
        self.failed += failed
        self._shown.update(self._task, advance=1, failed=self.failed)
