"""Runs of addresses ``(start, end)``, end not included."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Span = tuple[int, int]


def minus(span: Span, others: Iterable[Span]) -> list[Span]:
    """Return what of ``span`` lies in none of ``others``, lowest first."""
    start, end = span
    left: list[Span] = []
    for lo, hi in sorted(others):
        if hi <= start or lo >= end or lo >= hi:
            continue
        if lo > start:
            left.append((start, lo))
        start = max(start, hi)
    if start < end:
        left.append((start, end))
    return left


def common(one: Iterable[Span], other: Iterable[Span]) -> list[Span]:
    """Return what lies in both of two sorted lists of disjoint spans."""
    ours, theirs = list(one), list(other)
    both: list[Span] = []
    i = j = 0
    while i < len(ours) and j < len(theirs):
        start, end = max(ours[i][0], theirs[j][0]), min(ours[i][1], theirs[j][1])
        if start < end:
            both.append((start, end))
        if ours[i][1] < theirs[j][1]:
            i += 1
        else:
            j += 1
    return both
