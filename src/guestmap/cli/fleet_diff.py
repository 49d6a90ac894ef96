"""``guestmap fleet diff``: two audits, machine by machine, causes first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guestmap.base import format_size
from guestmap.cli.fleet_setting import alike_sentences
from guestmap.cli.output import counted, say, say_json
from guestmap.cli.parameters import Json

if TYPE_CHECKING:
    from guestmap.fleet.comparing import MachineChange


def diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="A folder that fleet audit -o made.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="A later one.")],
    as_json: Json = False,
) -> None:
    """Say what changed between two audits of a fleet, of different days or versions of QEMU.

    Machines that changed alike are told together, with the likely causes first. With --json a line
    for each machine that changed. Exit status 1 where one did.
    """
    from guestmap.fleet.comparing import compare_audits

    alike: dict[tuple[str, ...], list[str]] = {}
    count = changed = 0
    for each in compare_audits(before, after):
        count += 1
        if each.is_empty:
            continue
        changed += 1
        if as_json:
            form = {"format": "guestmap.fleet-diff", "format_version": 1, **each.to_json()}
            say_json(form, indent=None, flush=True)
        else:
            alike.setdefault(tuple(change_sentences(each)), []).append(each.machine)
    if not as_json:
        say(f"{counted(count, 'machine')}, {changed} changed")
    for line in alike_sentences(alike):
        say(line)
    if changed:
        raise typer.Exit(1)


def change_sentences(change: MachineChange) -> Iterator[str]:
    """Say what changed of a machine: the likely causes first."""
    from guestmap.inspect.ask.diff_sentences import diff_sentences

    step = change.map_change
    lines = [] if step is None or step.is_empty else diff_sentences(step)
    yield from (line for line in lines if line.startswith("Probably: "))
    if change.was != change.now:
        yield f"looked at: {change.was or 'not there'}, now {change.now or 'not there'}"
    if change.versions[0] != change.versions[1] and all(change.versions):
        yield f"version: {change.versions[0]}, now {change.versions[1]}"
    old, new = change.plugged
    if old is not None and new is not None and old != new:
        yield f"plugged: {format_size(old)}, now {format_size(new)}"
    for word, findings in (("new", change.found), ("gone", change.settled)):
        yield from (f"{word}: {e.severity}: {e.code}: {e.message}" for e in findings)
    yield from (line for line in lines if not line.startswith("Probably: "))
