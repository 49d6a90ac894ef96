"""What became of a plan on one machine."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from guestmap.domain import Outcome

Ending = Literal[
    "has-it", "plugged", "refused", "stale", "held", "busy", "open", "undone", "not-ours", "failed"
]
"""How it ended on a machine, in one word of a fleet's.

- ``has-it``: plugged, and the guest acknowledged it or has it online;
- ``plugged``: it is in, and the guest refused, said nothing, or has not all of it;
- ``refused``: nothing was changed: the plan does not fit any more, or QEMU refused;
- ``stale``: the machine was started anew since the plan was made; nothing was done;
- ``held``: another plan is open on it; ``busy``: somebody else is changing it; nothing was done;
- ``open``: begun, and how it ended is not known: ``fleet apply --resume`` settles it;
- ``undone``: it is not there, or not any more; ``not-ours``: this plan never came to it;
- ``failed``: it could not be asked, and nothing was begun.
"""

FINAL: frozenset[Ending] = frozenset({"has-it", "plugged", "stale"})
"""Endings after which a machine is not gone to again by the same plan."""

ENDINGS: Mapping[Outcome, Ending] = MappingProxyType({
    Outcome.ONLINE: "has-it",
    Outcome.ACKNOWLEDGED: "has-it",
    Outcome.UNHEARD: "has-it",
    Outcome.OFFLINE: "plugged",
    Outcome.SILENT: "plugged",
    Outcome.GUEST_REFUSED: "plugged",
    Outcome.LEFT_BEHIND: "plugged",
    Outcome.REMOVED: "undone",
    Outcome.ENDED: "open",  # or the way to it was cut
})  # fmt: skip
"""Of what ``guestmap plug`` and ``unplug`` say; all others changed nothing."""


class AppliedMachine(msgspec.Struct, frozen=True):
    """What became of a plan on a machine.

    Attributes:
        outcome: in the words of ``guestmap plug``; "" where it did not come to that.
        error: why it did not.
        earlier: it was so before; this time nothing was done.
        settled: what was found half done, and what was made of it.
        result: what ``guestmap plug --json`` would have printed; None where it came to nothing.
    """

    machine: str
    host: str
    ending: Ending
    outcome: str = ""
    error: str = ""
    earlier: bool = False
    settled: str = ""
    result: dict[str, Any] | None = None

    @property
    def is_good(self) -> bool:
        """Whether it is as was asked for."""
        return self.ending in {"has-it", "undone", "not-ours"}

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        form: dict[str, Any] = msgspec.to_builtins(self)
        return form
