"""``guestmap doctor``: what is installed, what is missing, and how to get it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from guestmap.cli.output import envelope, say, say_json
from guestmap.cli.parameters import Json
from guestmap.cli.streams import FAILURE

if TYPE_CHECKING:
    from guestmap.cli.checks import Check


def doctor(as_json: Json = False) -> None:
    """Say what is installed and what is missing, engines and firmware among it, and how to get it.

    Exit status 2 where something is there, or was named, and cannot be used.
    """
    from guestmap.cli.checks import Health, all_checks

    checks = list(all_checks())
    if as_json:
        say_json(envelope("doctor", {"checks": [each.to_json() for each in checks]}))
    else:
        _print(checks)
    if any(each.health is Health.BROKEN for each in checks):
        raise typer.Exit(FAILURE)


def _print(checks: list[Check]) -> None:
    area = ""
    for each in checks:
        if each.area != area:
            area = each.area
            say(f"{area}:")
        say(_line(each))


def _line(check: Check) -> str:
    parts = [f"  {check.health.value:<7} {check.name:<22}"]
    if check.found:
        parts.append(check.found)
    if check.needed_for and (check.remedy or not check.found):
        parts.append(f"(for {check.needed_for})")
    if check.remedy:
        parts.append(f"-> {check.remedy}")
    return " ".join(parts).rstrip()
