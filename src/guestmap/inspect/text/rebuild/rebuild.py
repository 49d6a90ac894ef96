"""From a snapshot read from text to one whose open facts are settled."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from guestmap.base import exact_size
from guestmap.inspect.text.rebuild.by_name import infer
from guestmap.inspect.text.rebuild.draft import Draft
from guestmap.inspect.text.rebuild.evidence import settle
from guestmap.inspect.text.rebuild.order import order_siblings
from guestmap.inspect.text.rebuild.pairing import pair
from guestmap.inspect.text.rebuild.prove import prove
from guestmap.inspect.text.rebuild.sharing import identify_shared

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import Snapshot
    from guestmap.inspect.text.rebuild.pairing import Pair


class Rebuilt(NamedTuple):
    """A snapshot whose open facts are settled.

    Attributes:
        agrees: every tree of an address space shows what a view does, and every view is one of
            those: trees and views are of one moment, or of two that no one can tell apart.
    """

    snapshot: Snapshot
    agrees: bool


def rebuild(snapshot: Snapshot) -> Snapshot:
    """Settle what the text of a tree leaves open.

    Rules come first: names of QEMU's regions, and what holds of all regions of a kind. Where the
    snapshot holds flat views, they are evidence, and overrule the rules.

    Returns:
        The same snapshot with other facts where they were open. ``RegionInfo.inferred`` names those
        that no view proves, ``RegionInfo.sureness`` says how sure they are.
    """
    return rebuild_beside_views(snapshot).snapshot


def rebuild_beside_views(snapshot: Snapshot) -> Rebuilt:
    """Do as :func:`rebuild`, and tell whether the trees now show what the views do."""
    draft = Draft(snapshot)
    infer(draft)
    order_siblings(draft)
    agrees = False
    if snapshot.views:
        pairs = pair(draft.current())
        identify_shared(draft, pairs)
        rendered = settle(draft, pairs)
        prove(draft, pairs, rendered)
        agrees = _are_all(snapshot, pairs) and not any(map(rendered.differences, pairs))
    return Rebuilt(draft.snapshot(), agrees)


def _are_all(snapshot: Snapshot, pairs: list[Pair]) -> bool:
    """Tell whether no tree and no view is left over."""
    roots = {space.root for space in snapshot.address_spaces}
    views = {id(view) for view in snapshot.views}
    return {each.root for each in pairs} == roots and {id(each.view) for each in pairs} == views


def differing_facts(one: Snapshot, other: Snapshot) -> list[str]:
    """Say which facts two rebuilt snapshots of one text have concluded differently."""
    found: list[str] = []
    for a, b in zip(one.regions, other.regions, strict=True):
        if a.terminates != b.terminates:
            found.append(f"{b.name!r} {'answers' if b.terminates else 'does not answer'}")
        if a.readonly != b.readonly:
            found.append(f"{b.name!r} is {'read-only' if b.readonly else 'writable'}")
        if a.size != b.size:
            found.append(f"{b.name!r} is {exact_size(b.size)} long")
        if a.alias != b.alias:
            found.append(f"which {other.regions[b.alias or 0].name!r} {b.name!r} shows")
        if a.children != b.children:
            found.append(f"the order of what overlaps in {b.name!r}")
    return list(dict.fromkeys(found))
