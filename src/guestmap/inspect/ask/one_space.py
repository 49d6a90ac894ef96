"""A map with one address space alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from guestmap.inspect.ask.spaces import Spaces

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import Snapshot


def with_one_space(snapshot: Snapshot, asked: str) -> Snapshot:
    """Return a map in which only the address spaces of a name are seen, and what they lead to.

    Raises:
        ConfigError: there is none of that name; says which there are.
    """
    named = Spaces(snapshot).named(asked)
    seen = {(each.plain, each.root) for each in named}
    views = [each.view for each in named]
    spaces = tuple(each for each in snapshot.address_spaces if (each.name, each.root) in seen)
    kept = tuple(view for view in snapshot.views if any(view is each for each in views))
    return replace(snapshot, address_spaces=spaces, views=kept)


def reached(snapshot: Snapshot) -> set[int]:
    """Return the ids of the regions that some address space leads to."""
    found: set[int] = set()
    waiting = [each.root for each in snapshot.address_spaces]
    while waiting:
        at = waiting.pop()
        if at not in found:
            found.add(at)
            region = snapshot.regions[at]
            waiting += [*region.children, *(() if region.alias is None else (region.alias,))]
    return found
