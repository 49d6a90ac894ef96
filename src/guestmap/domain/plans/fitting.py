"""Whether a plan still fits: what it was made on is so, and it would be the same if made now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.domain.change.targets import Targets
from guestmap.domain.plans.domain_plan import plan_of
from guestmap.domain.rules.errors import DomainError, Speaker
from guestmap.domain.rules.texts import OPERATION_INVALID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.domain.manager import Manager
    from guestmap.domain.plans.domain_plan import DomainPlan

_MADE_ON = {
    "config": "the stored definition",
    "live": "what the machine has",
    "process": "which process the machine is",
}


def refuse_changed(manager: Manager, plan: DomainPlan) -> None:
    """Refuse a plan that no longer fits; the job is held.

    Raises:
        DomainError: it would not do what it says; tells what changed.
        HostError, PeerError: the machine does not answer.
    """
    to = Targets(live=plan.live, config=plan.config)
    document = plan.document.encode()
    now = plan_of(manager, plan.domain, document, to, verb=plan.verb, force=plan.force).plan
    changed = [
        words for what, words in _MADE_ON.items() if now.made_on.get(what) != plan.made_on.get(what)
    ]
    if changed:
        told = "; ".join(_differences(plan, now))
        raise _refused(f"{' and '.join(changed)} changed since it was made", told)
    if now.is_blocked:
        raise _refused("something is in the way now", str(now.blockers[0].get("message", "")))
    if now.commands != plan.commands:
        raise _refused("other commands would be sent than it says", "")
    if _ranges(now) != _ranges(plan):
        raise _refused("the map of the machine changed", "; ".join(now.map_change))


def _ranges(plan: DomainPlan) -> set[str]:
    """Return what changes in the map, without the names of views: QEMU has them in any order."""
    return {line for line in plan.map_change if not line.rstrip().endswith(":")}


def _differences(before: DomainPlan, now: DomainPlan) -> Iterator[str]:
    """Say which memory devices each definition has more, and has no more."""
    for what in before.devices | now.devices:
        had, has = before.devices.get(what, ()), now.devices.get(what, ())
        where = _MADE_ON[what]
        yield from (f"{where}: more is {each}" for each in has if each not in had)
        yield from (f"{where}: gone is {each}" for each in had if each not in has)


def _refused(what: str, more: str) -> DomainError:
    return DomainError(
        OPERATION_INVALID,
        f"the plan does not fit any more: {what}{f' ({more})' if more else ''}",
        speaker=Speaker.OURS,
        remedy="make a new one",
    )
