"""What a guest makes of a change: its answer, the memory that it takes, the use of what it has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from guestmap.domain.following import Following, follow
from guestmap.domain.listen import listen
from guestmap.domain.outcome import Outcome, Result
from guestmap.domain.waiting import GuestVerdict, Waiting, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.domain.listen import Observer, Pace
    from guestmap.domain.peer import Peer
    from guestmap.domain.plug_plan import Plan
    from guestmap.domain.plugged import MemoryDevice
    from guestmap.domain.use import UseSource

USE_POLL_S = 0.2
"""Seconds between two questions to a guest's agent."""

_OUTCOMES = {
    GuestVerdict.ACKNOWLEDGED: Outcome.ACKNOWLEDGED,
    GuestVerdict.REFUSED: Outcome.GUEST_REFUSED,
    GuestVerdict.SILENT: Outcome.SILENT,
    GuestVerdict.ENDED: Outcome.ENDED,
    GuestVerdict.REMOVED: Outcome.REMOVED,
    GuestVerdict.INTERRUPTED: Outcome.SILENT,
    None: Outcome.SILENT,
}


class GuestAnswer:
    """Waits for a guest, each time up to the same number of seconds.

    Args:
        peer: the machine.
        timeout_s: the seconds.
        pace: the time. observer: is told what happens.
        is_broken_off: tells that no more is to be waited for.
    """

    def __init__(
        self,
        peer: Peer,
        timeout_s: float,
        pace: Pace,
        observer: Observer,
        is_broken_off: Callable[[], bool],
    ) -> None:
        self._peer = peer
        self._timeout_s = timeout_s
        self._pace = pace
        self._observer = observer
        self._is_broken_off = is_broken_off

    def answer(
        self, plan: Plan, device: MemoryDevice, again: Callable[[], object] | None = None
    ) -> Result:
        """Wait for the guest's answer to what was done.

        Args:
            plan: what was done.
            device: the DIMM as it is.
            again: asks once more, where half of the time passed and nothing was heard. A guest
                that was slow to look after the DIMM was plugged finds both announcements at once,
                looks after the first alone, and would never hear of the second.
        """
        start = self._pace.now()
        whole = start + self._timeout_s
        half = whole if again is None else start + self._timeout_s / 2
        state = wait_for(plan.verb, device, half)
        state = self._listen(state, plan)
        if again is not None and state.verdict is GuestVerdict.SILENT:
            if not state.is_heeded:
                again()
            state = self._listen(replace(state, verdict=None, deadline=whole), plan)
        return Result(
            plan,
            _OUTCOMES[state.verdict],
            waiting=state,
            waited_s=self._pace.now() - start,
            interrupted=state.verdict is GuestVerdict.INTERRUPTED,
        )

    def _listen(self, state: Waiting, plan: Plan) -> Waiting:
        before = plan.situation.slot_status(state.slot)
        return listen(
            self._peer,
            state,
            before,
            self._pace,
            self._observer,
            self._is_broken_off,
        )

    def followed(self, plan: Plan, device: MemoryDevice) -> Result:
        """Wait until a guest has of a virtio-mem device what is requested, up to the deadline."""
        start = self._pace.now()
        had = device.plugged
        state = Following(device.name, plan.requested or 0, had, start + self._timeout_s)
        state = follow(self._peer, state, self._pace, self._observer, self._is_broken_off)
        outcome = Outcome.SILENT if state.has == had else Outcome.SHORT
        return Result(
            plan,
            Outcome.RESIZED if state.is_there else outcome,
            waited_s=self._pace.now() - start,
            interrupted=state.interrupted,
            notes=state.notes(plan.situation),
        )

    def used(self, result: Result, device: MemoryDevice, uses: UseSource, start: float) -> Result:
        """Wait until the guest uses all of a DIMM, up to the deadline."""
        while True:
            use, now = uses.use(device), self._pace.now()
            if use is not None and use.online >= device.size:
                outcome = Outcome.ONLINE
                break
            if now >= start + self._timeout_s or self._is_broken_off():
                is_told = use is not None and result.outcome is not Outcome.SILENT
                outcome = Outcome.OFFLINE if is_told else result.outcome
                break
            self._pace.sleep(min(USE_POLL_S, start + self._timeout_s - now))
        return replace(result, outcome=outcome, use=use, waited_s=self._pace.now() - start)
