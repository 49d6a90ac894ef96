"""What became of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from guestmap.domain.waiting import GuestVerdict

if TYPE_CHECKING:
    from guestmap.domain.ost import OstAnswer
    from guestmap.domain.plug_plan import Plan
    from guestmap.domain.plugged import MemoryDevice
    from guestmap.domain.use import Use
    from guestmap.domain.waiting import Waiting
    from guestmap.inspect.ask.diff import Diff


class Outcome(StrEnum):
    """How it ended; each with a sentence in :data:`MEANINGS`."""

    PLANNED = "planned"
    BLOCKED = "blocked"
    STOPPED = "stopped"
    ONLINE = "online"
    ACKNOWLEDGED = "acknowledged"
    OFFLINE = "offline"
    UNHEARD = "unheard"
    REMOVED = "removed"
    RESIZED = "resized"
    SHORT = "short"
    SILENT = "guest-silent"
    GUEST_REFUSED = "guest-refused"
    QEMU_REFUSED = "qemu-refused"
    ROLLED_BACK = "rolled-back"
    LEFT_BEHIND = "left-behind"
    ENDED = "machine-ended"


MEANINGS: dict[Outcome, str] = {
    Outcome.PLANNED: "nothing stands in the way; nothing was done",
    Outcome.BLOCKED: "it would be refused; nothing was done",
    Outcome.STOPPED: "the guest would get nothing of it; nothing was done (--force does it)",
    Outcome.ONLINE: "plugged, and the guest has it online",
    Outcome.ACKNOWLEDGED: (
        "plugged, and the guest acknowledged it; whether the guest uses it is not known"
    ),
    Outcome.OFFLINE: "plugged, and the guest has not brought all of it online",
    Outcome.UNHEARD: "plugged; of what its guest makes of it this machine tells nothing",
    Outcome.REMOVED: "unplugged: the guest let go of it",
    Outcome.RESIZED: "the guest has what is requested",
    Outcome.SHORT: "the guest has not what is requested: it stopped on the way",
    Outcome.SILENT: "the guest said nothing, or nothing final, before the deadline",
    Outcome.GUEST_REFUSED: "the guest refused",
    Outcome.QEMU_REFUSED: "QEMU refused; everything is as before",
    Outcome.ROLLED_BACK: "plugged, and taken out again for want of the guest's consent",
    Outcome.LEFT_BEHIND: "not as planned: something was left behind",
    Outcome.ENDED: "the machine ended meanwhile",
}


@dataclass(frozen=True, slots=True)
class Result:
    """A plan that was carried out, or not.

    Attributes:
        error: what QEMU said where it refused a command.
        wrong: what verification found not as it should be.
        waiting: what the guest said, and when waiting ended; None where it was not asked.
        device: the DIMM as it is now; None where it is not there.
        map_change: of the map, as it was in fact; None where it was not looked at.
        waited_s: seconds that were waited for the guest.
        interrupted: waiting was broken off before the deadline.
        use: what the guest has of the DIMM; None: nobody tells.
        notes: what else happened meanwhile, that is nobody's fault.
    """

    plan: Plan
    outcome: Outcome
    error: str = ""
    wrong: tuple[str, ...] = ()
    waiting: Waiting | None = None
    device: MemoryDevice | None = None
    map_change: Diff | None = None
    waited_s: float = 0.0
    interrupted: bool = False
    use: Use | None = None
    notes: tuple[str, ...] = ()

    @property
    def acknowledged(self) -> bool | None:
        """Whether the guest acknowledged it; None: it said nothing of it."""
        verdict = None if self.waiting is None else self.waiting.verdict
        return {
            GuestVerdict.ACKNOWLEDGED: True,
            GuestVerdict.REMOVED: True,
            GuestVerdict.REFUSED: False,
        }.get(verdict or GuestVerdict.SILENT)

    @property
    def answers(self) -> tuple[OstAnswer, ...]:
        """What the guest said."""
        return self.waiting.answers if self.waiting else ()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "outcome": str(self.outcome),
            "meaning": MEANINGS[self.outcome],
            "error": self.error,
            "wrong": list(self.wrong),
            "acknowledged": self.acknowledged,
            "online_bytes": None if self.use is None else self.use.online,
            "online_told_by": None if self.use is None else self.use.told_by,
            "notes": list(self.notes),
            "answers": [each.to_json() for each in self.answers],
            "device": self.device and self.device.to_json(),
            "map_change": self.map_change and self.map_change.to_json(),
            "waited_s": round(self.waited_s, 3),
            "interrupted": self.interrupted,
            "plan": self.plan.to_json(),
        }
