"""Keeping the journal of what is done to a machine's memory: noted before, struck out after."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from guestmap.base import HostError
from guestmap.domain.outcome import Outcome
from guestmap.qmp.client import GoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from guestmap.domain.journal import Entry, Journal
    from guestmap.domain.outcome import Result
    from guestmap.domain.peer import Peer
    from guestmap.domain.plug_plan import Plan
    from guestmap.domain.situation import Situation

_STANDS = {Outcome.SILENT, Outcome.GUEST_REFUSED}
"""How an unplug ends whose request stands: the guest may let go later, and leave the backend."""


@contextmanager
def noted(peer: Peer, plan: Plan) -> Iterator[Callable[[Result], Result]]:
    """Have a change in the journal while it is made.

    Yields what takes the result: it strikes the change out, where no backend is or may be left,
    and returns the result, with a word where no journal could be kept. A change that is broken off
    was taken back. One whose machine does not answer stays noted.
    """
    journal = peer.journal
    if journal is None or plan.backend is None:
        yield lambda result: result
        return
    strike_out(journal, plan.situation, _absent(plan.situation))
    trouble = ""
    entry: Entry | None = None
    try:
        entry = journal.begin(peer.source, plan.verb, (plan.backend,), run=plan.situation.run)
    except HostError as error:
        trouble = f"the journal could not be kept: {error}"

    def ended(result: Result) -> Result:
        if entry is not None and not _leaves_backend(result):
            journal.finish(entry)
        return replace(result, notes=(*result.notes, trouble)) if trouble else result

    try:
        yield ended
    except (KeyboardInterrupt, GoneError):
        if entry is not None:
            journal.finish(entry)
        raise


def strike_out(journal: Journal | None, situation: Situation, gone: Iterable[str]) -> None:
    """Strike out what was begun, and is not being done now, with backends that are gone."""
    if journal is None:
        return
    gone = set(gone)
    for entry in situation.begun:
        if gone.issuperset(entry.objects) and not entry.is_at_work:
            journal.finish(entry)


def _absent(situation: Situation) -> set[str]:
    """Return the objects of the journal that the machine has no more, where it tells its own."""
    there = situation.object_names
    return {name for each in situation.begun for name in each.objects if there} - there


def _leaves_backend(result: Result) -> bool:
    if result.plan.verb == "unplug" and result.outcome in _STANDS:
        return True
    return result.outcome is Outcome.LEFT_BEHIND
