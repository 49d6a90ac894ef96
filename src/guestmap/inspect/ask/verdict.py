"""Why a region does not answer at an address on one way to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import RegionInfo
    from guestmap.inspect.map.ways import Way

Reason = Literal["disabled", "clipped", "priority", "order", "covered"]
"""Why somebody does not answer.

- ``clipped``: a container or alias on the way does not reach as far as the address;
- ``disabled``: the region, or one on the way to it, is not enabled;
- ``priority``: a sibling of higher priority answers;
- ``order``: a sibling of equal priority, added later, answers;
- ``covered``: one of its own subregions answers.
"""


class Verdict(NamedTuple):
    """A reason and who is to blame.

    Attributes:
        by: what is disabled, what clips, which sibling or subregion answers.
        loser: the region on the way that loses against ``by``: its sibling, or (covered) its
            container; where disabled or clipped the region that is asked for.
        container: what holds both siblings; None where there are none.
    """

    reason: Reason
    by: RegionInfo
    loser: RegionInfo
    container: RegionInfo | None = None


def disabled(steps: list[Way]) -> Verdict | None:
    """Return what is not enabled on a way, the nearest to the root; None: all are."""
    for step in steps:
        if not step.region.enabled:
            return Verdict("disabled", step.region, steps[-1].region)
    return None


def clipped(steps: list[Way], address: int) -> tuple[int, Verdict] | None:
    """Return which step of a way is the first that does not reach an address."""
    for index, step in enumerate(steps):
        lo, hi = step.extent
        if not lo <= address < hi:
            return index, Verdict("clipped", step.region, steps[-1].region)
    return None


def outranked(loser: list[Way], winner: list[Way]) -> Verdict | None:
    """Return why one way loses against another that shows the same address; None: it is on it.

    Both ways start at the same root.
    """
    for index, (ours, theirs) in enumerate(zip(loser, winner, strict=False)):
        if ours.region.id != theirs.region.id:
            above = loser[index - 1].region
            lower = theirs.region.priority > ours.region.priority
            return Verdict("priority" if lower else "order", theirs.region, ours.region, above)
    if len(winner) == len(loser):
        return None
    if len(winner) > len(loser):
        return Verdict("covered", winner[len(loser)].region, loser[-1].region)
    return None
