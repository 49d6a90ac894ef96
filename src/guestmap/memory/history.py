"""Commits as values: what changed in the map, when, and why."""

from __future__ import annotations

from typing import NamedTuple

from guestmap.memory.flatview import FlatRange


class ViewChange(NamedTuple):
    """What one commit changed in one physical root's view.

    Attributes:
        root: name of the rendered region, "(none)" for the empty view.
        removed: ranges that are gone, lowest address first.
        added: ranges that are new, lowest address first.
    """

    root: str
    removed: tuple[FlatRange, ...]
    added: tuple[FlatRange, ...]


class CommitRecord(NamedTuple):
    """One published commit.

    Attributes:
        generation: counts published commits of one system, from 1.
        cause: what the outermost transaction was opened for; "" if it did not say.
        time_ns: the system's clock at publication, in nanoseconds.
        changes: one for each view that was rendered anew and differs.
        rerouted: names of address spaces that now show another root's view.
    """

    generation: int
    cause: str
    time_ns: int
    changes: tuple[ViewChange, ...]
    rerouted: tuple[str, ...]
