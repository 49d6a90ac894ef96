"""Memory backends that an interrupted plug left: recognised, and deleted only where that is safe.

A plug is two commands, and whoever makes it may stand between them: so a backend is taken for left
behind only where our journal has it, or it is named as those that are made up here are, and where
no device used it at two looks half a minute apart. Another one is deleted only by name and by
force.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.base import format_size
from guestmap.domain.noting import strike_out
from guestmap.domain.steps import Step
from guestmap.domain.survey import survey
from guestmap.inspect.map.report import Report
from guestmap.qmp.client import CommandError

if TYPE_CHECKING:
    from guestmap.domain.listen import Pace
    from guestmap.domain.peer import Peer
    from guestmap.domain.situation import Situation

APART_S = 30.0
"""Seconds between the two looks."""


@dataclass(frozen=True, slots=True)
class Cleaning(Report):
    """What became of a backend that was to be deleted.

    Attributes:
        id: the backend's. is_deleted: it is gone.
        told: what was done, or why nothing.
    """

    id: str
    is_deleted: bool
    told: str


def clean(peer: Peer, backend: str, pace: Pace, *, force: bool = False) -> Cleaning:
    """Delete a memory backend that nobody uses.

    Args:
        peer: the machine.
        backend: its id.
        pace: the time between the two looks.
        force: delete it whatever it is called, after one look.

    Raises:
        PeerError: the machine does not answer.
    """
    situation = survey(peer).situation
    if (refusal := _refusal(situation, backend, force=force)) is not None:
        return Cleaning(backend, False, refusal)
    if not force:
        pace.sleep(APART_S)
        again = survey(peer).situation
        if (refusal := _refusal(again, backend, force=force)) is not None:
            return Cleaning(backend, False, f"{refusal} (at the second look)")
    size = format_size(situation.backends[backend])
    step = Step("object-del", {"id": backend})
    try:
        peer.change(step.command, step.arguments)
    except CommandError as error:
        return Cleaning(backend, False, str(error))
    strike_out(peer.journal, situation, {backend})
    return Cleaning(backend, True, f"{backend} ({size}), which no device used, is deleted")


def _refusal(situation: Situation, backend: str, *, force: bool) -> str | None:
    """Return why a backend is not deleted; None: nothing speaks against it."""
    if backend not in situation.backends:
        orphans = ", ".join(situation.orphans) or "none"
        return f"there is no memory backend {backend!r}; left behind by a plug: {orphans}"
    user = next((each for each in situation.devices if each.backend == backend), None)
    if user is not None:
        return f"{backend} is the memory of {user.title}"
    if force:
        return None
    if (entry := situation.at_work(backend)) is not None:
        return f"a guestmap that runs (process {entry.by.number}) is at work with {backend}"
    if not situation.is_ours(backend):
        return (
            f"{backend} is neither in guestmap's journal nor named as a backend made by it:"
            " somebody else may be about to use it (--force deletes it all the same)"
        )
    return None
