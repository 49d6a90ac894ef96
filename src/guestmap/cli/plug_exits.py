"""How ``plug`` and ``unplug`` end: one table of exit statuses, for the code and for --help."""

from __future__ import annotations

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

ERROR = "an error: no such machine, nonsense on the command line, a machine that does not answer"


def status_table() -> str:
    """Return the table as text for --help: one paragraph for each status."""
    lines = {2: ERROR}
    for outcome, status in STATUSES.items():
        told = lines.get(status)
        lines[status] = f"{told} | {MEANINGS[outcome]}" if told else MEANINGS[outcome]
    return "\n\n".join(["Exit status:", *(f"{n}  {lines[n]}" for n in sorted(lines))])
