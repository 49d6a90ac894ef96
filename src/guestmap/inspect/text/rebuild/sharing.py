"""Views as evidence of identity: address spaces share a view where their roots lead to one region.

QEMU renders a region once for all whose root leads to it: a root that is an alias of all of a
region leads to that, and a container with a single child that fills it leads to the child. So where
two trees share a view, the alias that one of them ends in shows the other's region, and not another
that looks alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.inspect.text.rebuild.draft import Draft
    from guestmap.inspect.text.rebuild.pairing import Pair


def identify_shared(draft: Draft, pairs: list[Pair]) -> None:
    """Point aliases that may mean several regions to the one that shares their view."""
    by_view: dict[int, list[int]] = {}
    for pair in pairs:
        by_view.setdefault(id(pair.view), []).append(pair.root)
    for roots in by_view.values():
        ways = [_way_in(draft, root) for root in roots]
        settled = {region for way in ways if not _open_aliases(draft, way) for region in way}
        for way in ways:
            for alias in _open_aliases(draft, way):
                shown = draft.regions[alias].alias
                if shown is None or shown in settled:
                    continue
                name = draft.regions[shown].name
                same = [r for r in sorted(settled) if draft.regions[r].name == name]
                if len(same) == 1:
                    draft.set(alias, "alias", same[0], "proven")


def _open_aliases(draft: Draft, way: list[int]) -> list[int]:
    return [region for region in way if draft.is_open(region, "alias")]


def _way_in(draft: Draft, root: int) -> list[int]:
    """Return the regions from a root to the one that is rendered for it, both included."""
    way = [root]
    while (below := _leads_to(draft, way[-1])) is not None and below not in way:
        way.append(below)
    return way


def _leads_to(draft: Draft, region: int) -> int | None:
    info = draft.regions[region]
    if not info.enabled:
        return None
    if info.alias is not None:
        fills = info.alias_offset == 0 and info.size >= draft.regions[info.alias].size
        return info.alias if fills else None
    children = [draft.regions[c] for c in info.children if draft.regions[c].enabled]
    if info.terminates or len(children) != 1:
        return None
    (child,) = children
    return child.id if child.addr == 0 and info.size >= child.size else None
