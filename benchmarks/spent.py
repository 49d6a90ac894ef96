"""The processor time of other processes."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def of_process(number: int) -> float:
    """Return the seconds that the threads of a process have had (proc(5), schedstat)."""
    told = 0
    for each in Path(f"/proc/{number}/task").iterdir():
        with suppress(OSError):  # a thread that has ended meanwhile
            told += int((each / "schedstat").read_text().split()[0])
    return told / 1e9


def of_children(run: Callable[[], object]) -> float:
    """Return the seconds that child processes have had that ended while ``run`` was running."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
