"""What a benchmark returns, and how it is printed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

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
    ours: Callable[[], object], theirs: Callable[[], object], number: int, rounds: int = 15
) -> tuple[float, float]:
    """Return the best time of one call of each, in seconds; they take turns on a busy host."""
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for i, action in enumerate((ours, theirs)):
            start = time.perf_counter()
            for _ in range(number):
                action()
            best[i] = min(best[i], (time.perf_counter() - start) / number)
    return best[0], best[1]


def _text(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds * 1e9:.0f} ns"


def show(title: str, peer: str, rows: Sequence[Row], console: Console) -> None:
    """Print rows; the ratio says how many times as long as the peer ours takes."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for name, justify in (("", "left"), ("guestmap", "right"), (peer, "right"), ("ratio", "right"),
                          ("", "left")):  # fmt: skip
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for row in rows:
        ratio = "-" if row.peer is None else f"{row.ours / row.peer:.2f}"
        table.add_row(row.what, _text(row.ours), _text(row.peer), ratio, row.note)
    console.print(table)
