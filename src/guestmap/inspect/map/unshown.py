"""Regions that a text names, as what an alias shows, and leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import RegionInfo, Snapshot
    from guestmap.inspect.map.ways import Way

UNSHOWN = frozenset({"size", "children", "terminates"})
"""What is not known of such a region, by its fields. It is taken to answer, so that nobody behind
it is taken for the one who does."""


def is_unshown(region: RegionInfo) -> bool:
    """Tell whether a region is known by its name only."""
    return (
        not region.children
        and {"size", "terminates"} <= set(region.inferred)
        and ("name" not in region.inferred)
    )


def unknown_on(way: Way) -> str | None:
    """Return what is not known at the end of a way, in words; None: it is known."""
    if not is_unshown(way.region):
        return None
    alias = "" if way.parent is None else f"alias {way.parent.region.name} of "
    return f"{alias}{way.region.name}, which the text does not show"


def unshown_note(snapshot: Snapshot) -> tuple[str, ...]:
    """Return a note that names all such regions; none where there are none."""
    names = dict.fromkeys(region.name for region in snapshot.regions if is_unshown(region))
    if not names:
        return ()
    note = f"the text does not show what these aliases are of: {', '.join(names)}"
    return (f"{note}; who answers there is not known",)
