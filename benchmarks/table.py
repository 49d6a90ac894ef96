"""What a benchmark returns, and how it is printed."""

from __future__ import annotations

import statistics
import time
import timeit
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table


class Row(NamedTuple):
    """One measured thing; times are seconds. ``peer`` is None where there is nobody to ask."""

    what: str
    ours: float
    peer: float | None = None
    note: str = ""


def median_seconds(action: Callable[[], object], repeats: int) -> float:
    """Return the median time of ``repeats`` calls, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def best_of(
    ours: str | Callable[[], object],
    theirs: str | Callable[[], object],
    number: int,
    names: dict[str, Any] | None = None,
    rounds: int = 15,
) -> tuple[float, float]:
    """Return the best time of each of two statements in ``rounds`` rounds, in seconds.

    They take turns, so that a busy host is busy for both, and are executed ``number`` times in a
    round. A statement is a function, or text that may use ``names`` and costs no call of its own.
    """
    timers = [timeit.Timer(each, globals=names) for each in (ours, theirs)]
    times = [[timer.timeit(number) / number for timer in timers] for _ in range(rounds)]
    return min(each[0] for each in times), min(each[1] for each in times)


def _text(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds * 1e9:.0f} ns"


def show(title: str, peer: str, rows: Sequence[Row], console: Console) -> None:
    """Print rows; the ratio says how many times as long as the peer ours takes."""
    if not rows:
        console.print(f"{title}: not measured, for nobody to measure it beside is on this host")
        return
    table = Table(title=title, title_justify="left", title_style="bold")
    for name, justify in (("", "left"), ("guestmap", "right"), (peer, "right"), ("ratio", "right"),
                          ("", "left")):  # fmt: skip
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for row in rows:
        ratio = "-" if row.peer is None else f"{row.ours / row.peer:.3g}"
        table.add_row(row.what, _text(row.ours), _text(row.peer), ratio, row.note)
    console.print(table)
