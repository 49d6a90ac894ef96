"""Notes on what a result rests on, where the source left something open."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from guestmap.inspect.text.mtree.dialects import dialect_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.inspect.ask.explanation import Loser
    from guestmap.inspect.map.snapshot import RangeInfo, RegionInfo, Snapshot
    from guestmap.inspect.map.ways import Way


def contradiction(winner: Way | None, said: RangeInfo | None) -> tuple[str, ...]:
    """Say where the source's own flat view names somebody else than its tree."""
    theirs = None if said is None else (said.name, said.offset_in_region - said.start)
    ours = None if winner is None else (winner.region.name, -winner.base)
    if theirs == ours:
        return ()
    names = [each[0] if each else "nobody" for each in (theirs, ours)]
    note = f"the source's own flat view says that {names[0]} answers, its tree that {names[1]} does"
    return (f"{note}: what the tree's text leaves open was concluded wrongly",)


def concluded(snapshot: Snapshot, winner: Way | None, losers: Iterable[Loser]) -> tuple[str, ...]:
    """Say which facts that decide here the source did not state."""
    notes: list[str] = []
    for loser in losers:
        container = None if loser.container is None else snapshot.regions[loser.container.id]
        if loser.reason == "order" and container and "children" in container.inferred:
            notes.append(
                f"the source does not say which of {loser.by.name} and {loser.against.name}"
                f" was added to {container.name} later"
            )
    for step in winner.steps() if winner is not None else ():
        if step.region.readonly and "readonly" in step.region.inferred:
            notes.append(f"that {step.region.name} refuses writes was concluded, not read")
    if winner is not None and _may_be_empty(snapshot, winner.region):
        notes.append(
            f"that {winner.region.name} answers itself was concluded, not read: it holds nothing,"
            " so it may be a container that is empty"
        )
    return tuple(dict.fromkeys(notes))


def _may_be_empty(snapshot: Snapshot, region: RegionInfo) -> bool:
    """Tell whether a region may as well be an empty container: nothing speaks for it.

    QEMU 11.1 says ``container`` of both where they lie in no other region. In a container a leaf
    nearly always answers itself, but for one that a text calls ``container`` even there.
    """
    doubts = dict(zip_longest(region.inferred, region.sureness, fillvalue="guess"))
    is_called_so = "type" in doubts and bool(dialect_of(snapshot).parentless)
    return (
        doubts.get("terminates") == "guess"
        and region.type == "i/o"
        and not region.children
        and (is_called_so or region.id not in snapshot.containers)
    )
