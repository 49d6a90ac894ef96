"""Carrying a plan out: the commands, the way back, and the check after.

Whatever happens, the result says what is so now: it is read from the machine again at the end.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from guestmap.base import PeerError, StateError
from guestmap.base.interrupt import Deferral
from guestmap.domain.devices import read_devices
from guestmap.domain.guest_answer import GuestAnswer
from guestmap.domain.listen import Observer, Pace, RealPace
from guestmap.domain.machine_types import VIRTIO_MEM, Announcement
from guestmap.domain.noting import noted
from guestmap.domain.outcome import Outcome, Result
from guestmap.domain.request import UnplugRequest
from guestmap.domain.sending import Refusal, same_kind, send
from guestmap.domain.survey import survey
from guestmap.domain.unplug_plan import plan_unplug
from guestmap.domain.use import balloon_use
from guestmap.domain.verify import others_changes, verify_plugged, verify_removed, verify_unchanged
from guestmap.inspect.ask.diff import diff
from guestmap.qmp.client import GoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from guestmap.domain.peer import Peer
    from guestmap.domain.plug_plan import Plan
    from guestmap.domain.plugged import MemoryDevice
    from guestmap.domain.situation import Scene
    from guestmap.domain.steps import Step
    from guestmap.domain.use import UseSource

TIMEOUT_S = 10.0
"""Seconds that a guest has to answer; Linux takes less than a tenth of one, unless it is busy."""


class Applier:
    """Carries plans out on one machine.

    Args:
        peer: the machine.
        timeout_s: seconds to wait for the guest.
        pace: the time. observer: is told what happens.
        uses: tells whether the guest uses what is plugged; None: balloon statistics, where
            somebody polls them.
    """

    def __init__(
        self,
        peer: Peer,
        *,
        timeout_s: float = TIMEOUT_S,
        pace: Pace | None = None,
        observer: Observer | None = None,
        uses: UseSource | None = None,
    ) -> None:
        self._peer = peer
        self._uses = uses
        self._timeout_s = timeout_s
        self._pace = pace or RealPace()
        self._observer = observer or Observer()
        self._interrupt = Deferral()

    def plug(self, plan: Plan, *, undo: bool = False) -> Result:
        """Plug the DIMM of a plan.

        Args:
            plan: one of ``plan_plug`` without blockers.
            undo: ask the guest to give the DIMM back where it does not acknowledge it.

        Raises:
            StateError: the plan has blockers.
            PeerError: the machine does not answer: the message says what may be left.
            KeyboardInterrupt: it was broken off before the DIMM was plugged; all is as before.
        """
        device = _device(plan, "plug")
        with Deferral() as self._interrupt, noted(self._peer, plan) as ended:
            return ended(self._to_the_end(plan, lambda: self._plug(plan, device, undo=undo)))

    def unplug(self, plan: Plan) -> Result:
        """Ask the guest for the DIMM of a plan, and drop its backend when the guest let go.

        Raises:
            StateError: the plan has blockers.
            PeerError: the machine does not answer: the message says what may be left.
        """
        device = _device(plan, "unplug")
        with Deferral() as self._interrupt, noted(self._peer, plan) as ended:
            return ended(self._to_the_end(plan, lambda: self._unplug(plan, device)))

    def resize(self, plan: Plan) -> Result:
        """Request another size of a virtio-mem device, and wait until its guest has it.

        Raises:
            StateError: the plan has blockers.
            PeerError: the machine does not answer: the message says what may be left.
        """
        device = _device(plan, "resize")
        with Deferral() as self._interrupt:
            return self._to_the_end(plan, lambda: self._resize(plan, device))

    def _resize(self, plan: Plan, device: MemoryDevice) -> Result:
        if (refusal := self._send(plan.steps)) is not None:
            return self._refused(plan, refusal)
        with _adding(f"another size of {device.title} was requested"):
            result = self._guest.followed(plan, device)
            return _checked(result, survey(self._peer), ())

    def _to_the_end(self, plan: Plan, work: Callable[[], Result]) -> Result:
        """Do the work; where the machine ends meanwhile, say what is known."""
        try:
            return work()
        except GoneError as error:
            return Result(plan, Outcome.ENDED, error=str(error))

    def _plug(self, plan: Plan, device: MemoryDevice, *, undo: bool) -> Result:
        uses = self._uses or balloon_use(self._peer)
        self._peer.events()  # what was told before is no answer
        if (refusal := self._send(plan.steps)) is not None:
            return self._refused(plan, refusal)
        with _adding(f"{device.id} was plugged"):
            return self._plugged(plan, device, uses, undo=undo)

    def _plugged(
        self, plan: Plan, device: MemoryDevice, uses: UseSource | None, *, undo: bool
    ) -> Result:
        """Wait for the guest's answer to a DIMM that is there, and check it."""
        # QEMU has the last word on the slot: another manager may have been quicker.
        there = next((each for each in read_devices(self._peer) if each.id == device.id), device)
        start = self._pace.now()
        if device.kind == VIRTIO_MEM:
            result = self._guest.followed(plan, there)
        elif plan.situation.rule.announces is Announcement.RTAS:
            result = Result(plan, Outcome.UNHEARD)
        else:
            result = self._guest.answer(plan, there)
        if result.outcome is Outcome.ENDED:
            return result
        if uses is not None and result.outcome in _MAY_BE_USED:
            result = self._guest.used(result, there, uses, start)
        if undo and result.outcome not in _CONSENT and not result.interrupted:
            return self._undo(result, device)
        after = survey(self._peer)
        return _checked(result, after, verify_plugged(plan, after))

    def _unplug(self, plan: Plan, device: MemoryDevice) -> Result:
        self._peer.events()
        ask, *rest = plan.steps
        if (refusal := self._send((ask,))) is not None:
            return self._refused(plan, refusal)
        with _adding(f"the guest was asked for {device.title}"):
            return self._asked(plan, device, ask, tuple(rest))

    def _asked(self, plan: Plan, device: MemoryDevice, ask: Step, rest: tuple[Step, ...]) -> Result:
        """Wait for a guest that was asked for a DIMM, do the rest where it let go, and check it."""
        result = self._guest.answer(plan, device, again=lambda: self._send((ask,)))
        if result.outcome is Outcome.ENDED:
            return result
        if result.outcome is not Outcome.REMOVED:
            after = survey(self._peer)
            return _checked(result, after, verify_unchanged(plan.scene, after, (), device.name))
        if (refusal := self._send(rest)) is not None:
            result = replace(result, error=str(refusal.error))
        after = survey(self._peer)
        return _checked(result, after, verify_removed(plan, after))

    @property
    def _guest(self) -> GuestAnswer:
        """What the guest answers to the change under way."""
        return GuestAnswer(
            self._peer,
            self._timeout_s,
            self._pace,
            self._observer,
            lambda: self._interrupt.requested,
        )

    def _send(self, steps: tuple[Step, ...]) -> Refusal | None:
        return send(self._peer, steps, self._observer, self._interrupt)

    def _refused(self, plan: Plan, refusal: Refusal) -> Result:
        after = survey(self._peer)
        own = plan.device.name if plan.device else ""
        wrong = verify_unchanged(plan.scene, after, refusal.made, own)
        outcome = Outcome.LEFT_BEHIND if wrong else Outcome.QEMU_REFUSED
        notes = others_changes(plan, after)
        return Result(plan, outcome, error=str(refusal.error), wrong=wrong, notes=notes)

    def _undo(self, result: Result, device: MemoryDevice) -> Result:
        """Unplug what was just plugged; the result keeps what the guest said to the plugging."""
        scene = survey(self._peer)
        plan = plan_unplug(scene, UnplugRequest(device.id or ""))
        if plan.is_blocked:
            return _checked(result, scene, verify_plugged(result.plan, scene))
        taken = self.unplug(plan)
        if taken.outcome is not Outcome.REMOVED:
            said = "; ".join(map(str, taken.answers)) or taken.error or "no answer"
            return replace(
                result, device=taken.device, map_change=diff(result.plan.scene.map, scene.map),
                error=f"{device.id} could not be taken out again: {said}",
            )  # fmt: skip
        after = survey(self._peer)
        undone = replace(result, outcome=Outcome.ROLLED_BACK)
        made = [name for name in (device.id, device.backend) if name is not None]
        wrong = verify_unchanged(result.plan.scene, after, made, device.name)
        return _checked(undone, after, wrong)


_MAY_BE_USED = {Outcome.ACKNOWLEDGED, Outcome.SILENT, Outcome.UNHEARD}
_CONSENT = {
    Outcome.ACKNOWLEDGED,
    Outcome.ONLINE,
    Outcome.OFFLINE,
    Outcome.UNHEARD,
    Outcome.RESIZED,
    Outcome.SHORT,
}


@contextmanager
def _adding(done: str) -> Iterator[None]:
    """Add to the news that a machine does not answer what was done before."""
    try:
        yield
    except PeerError as error:
        raise same_kind(error, f"{error}; {done} before") from error


def _device(plan: Plan, verb: str) -> MemoryDevice:
    if plan.verb != verb:
        raise StateError(f"this is a plan to {plan.verb}, not to {verb}")
    if plan.is_blocked or plan.device is None:
        raise StateError("the plan has blockers: " + "; ".join(b.text for b in plan.blockers))
    return plan.device


def _checked(result: Result, after: Scene, wrong: tuple[str, ...]) -> Result:
    """Return a result with what the machine is now, and what of it is wrong."""
    device = result.plan.device
    return replace(
        result,
        outcome=Outcome.LEFT_BEHIND if wrong else result.outcome,
        wrong=wrong,
        notes=(*result.notes, *others_changes(result.plan, after)),
        device=after.situation.device(device.name) if device and device.name else None,
        map_change=diff(result.plan.scene.map, after.map),
    )
