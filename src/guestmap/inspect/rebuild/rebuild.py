"""From a snapshot read from text to one whose open facts are settled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.inspect.rebuild.by_name import infer
from guestmap.inspect.rebuild.draft import Draft
from guestmap.inspect.rebuild.evidence import settle
from guestmap.inspect.rebuild.order import order_siblings
from guestmap.inspect.rebuild.pairing import pair
from guestmap.inspect.rebuild.prove import prove
from guestmap.inspect.rebuild.sharing import identify_shared

if TYPE_CHECKING:
    from guestmap.inspect.snapshot import Snapshot


def rebuild(snapshot: Snapshot) -> Snapshot:
    """Settle what the text of a tree leaves open.

    Rules come first: names of QEMU's regions, and what holds of all regions of a kind. Where the
    snapshot holds flat views, they are evidence, and overrule the rules.

    Returns:
        The same snapshot with other facts where they were open. ``RegionInfo.inferred`` names those
        that no view proves, ``RegionInfo.sureness`` says how sure they are.
    """
    draft = Draft(snapshot)
    infer(draft)
    order_siblings(draft)
    if snapshot.views:
        pairs = pair(draft.current())
        identify_shared(draft, pairs)
        prove(draft, pairs, settle(draft, pairs))
    return draft.snapshot()


def differing_facts(one: Snapshot, other: Snapshot) -> list[str]:
    """Say which facts two rebuilt snapshots of one text have concluded differently."""
    found: list[str] = []
    for a, b in zip(one.regions, other.regions, strict=True):
        if a.terminates != b.terminates:
            found.append(f"{b.name!r} {'answers' if b.terminates else 'does not answer'}")
        if a.readonly != b.readonly:
            found.append(f"{b.name!r} is {'read-only' if b.readonly else 'writable'}")
        if a.size != b.size:
            found.append(f"{b.name!r} is {b.size} bytes long")
        if a.alias != b.alias:
            found.append(f"which {other.regions[b.alias or 0].name!r} {b.name!r} shows")
        if a.children != b.children:
            found.append(f"the order of what overlaps in {b.name!r}")
    return list(dict.fromkeys(found))
