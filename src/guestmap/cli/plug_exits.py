"""How ``plug``, ``unplug`` and ``resize`` end: one table, for their exit statuses and --help."""

from __future__ import annotations

from guestmap.cli.streams import INTERRUPTED
from guestmap.domain import MEANINGS, Outcome

STATUSES: dict[Outcome, int] = {
    Outcome.ONLINE: 0,
    Outcome.RESIZED: 0,
    Outcome.REMOVED: 0,
    Outcome.PLANNED: 0,
    Outcome.BLOCKED: 3,
    Outcome.STOPPED: 3,
    Outcome.SILENT: 4,
    Outcome.GUEST_REFUSED: 5,
    Outcome.QEMU_REFUSED: 6,
    Outcome.ROLLED_BACK: 7,
    Outcome.LEFT_BEHIND: 8,
    Outcome.ENDED: 9,
    Outcome.ACKNOWLEDGED: 10,
    Outcome.OFFLINE: 11,
    Outcome.UNHEARD: 12,
    Outcome.SHORT: 13,
}
"""1 is for comparisons that differ, 2 for errors (see :mod:`guestmap.cli.app`)."""

_PLUG, _UNPLUG, _RESIZE = "plug", "unplug", "resize"
_ONLY_OF: dict[Outcome, frozenset[str]] = {
    Outcome.ONLINE: frozenset({_PLUG}),
    Outcome.RESIZED: frozenset({_PLUG, _RESIZE}),
    Outcome.REMOVED: frozenset({_UNPLUG}),
    Outcome.STOPPED: frozenset({_PLUG}),
    Outcome.GUEST_REFUSED: frozenset({_PLUG, _UNPLUG}),
    Outcome.ROLLED_BACK: frozenset({_PLUG}),
    Outcome.ACKNOWLEDGED: frozenset({_PLUG}),
    Outcome.OFFLINE: frozenset({_PLUG}),
    Outcome.UNHEARD: frozenset({_PLUG}),
    Outcome.SHORT: frozenset({_PLUG, _RESIZE}),
}
"""Which commands can end so; the others all three can."""

_ALWAYS = {
    2: "an error: no such machine, nonsense on the command line, a machine that does not answer",
    INTERRUPTED: "broken off with Ctrl-C before anything was done",
}


def status_table(command: str) -> str:
    """Return a command's part of the table as text for --help: a paragraph for each status."""
    lines = dict(_ALWAYS)
    for outcome, status in STATUSES.items():
        if command in _ONLY_OF.get(outcome, (command,)):
            told = lines.get(status)
            lines[status] = f"{told} | {MEANINGS[outcome]}" if told else MEANINGS[outcome]
    return "\n\n".join(["Exit status:", *(f"{n}  {lines[n]}" for n in sorted(lines))])
