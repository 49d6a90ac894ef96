"""Words that the sentences of several analyses have in common.

Ranges are written as QEMU writes them: first and last address, hexadecimal, both included.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guestmap.inspect.ask.verdict import Reason

_OWNER = re.compile(r"owner:\{(?P<kind>dev|obj) (?P<by>id|path|type)=(?P<who>.*?)\}(?: parent:|$)")

if TYPE_CHECKING:
    from guestmap.inspect.ask.explanation import Loser, PathStep
    from guestmap.inspect.ask.ram_place import RamPlace
    from guestmap.inspect.ask.visibility import Hidden


def why_words(loser: Loser | Hidden) -> str:
    """Say why a region does not answer."""
    reason: Reason | str = loser.reason
    by = loser.by.name if loser.by else ""
    holder = loser.container.name if loser.container else ""
    against = loser.against.name
    if reason == "disabled":
        is_self = by == against
        return "it is disabled" if is_self else f"{by}, on the way to it, is disabled"
    return {
        "clipped": f"{by}, on the way to it, does not reach here",
        "priority": f"{by} has a higher priority than {against} in {holder}",
        "order": f"{by} was added to {holder} later than {against}, at equal priority",
        "covered": f"{by}, which it holds, answers first",
        "empty": f"{against} holds nothing that answers here",
    }[reason]


def path_words(path: tuple[PathStep, ...]) -> str:
    """Say by which way a region is reached."""
    steps: list[str] = []
    for step in path:
        off = "" if step.enabled else ", disabled"
        alias = f" (alias of {step.alias_of.name}{off})" if step.alias_of else ""
        steps.append(f"{step.name}+{step.offset:#x}{alias or off.replace(', ', ' (', 1)}")
        if off and not alias:
            steps[-1] += ")"
    return " > ".join(steps)


def ram_words(place: RamPlace) -> str:
    """Say where memory lies in its block."""
    where = "" if place.ram_addr is None else f", ram_addr {place.ram_addr:#x}"
    return f"RAM block {place.block}, offset {place.offset:#x}{where}"


def names_words(spaces: tuple[str, ...]) -> str:
    """Name address spaces, each once."""
    counted = dict.fromkeys(spaces)
    return ", ".join(
        name if spaces.count(name) == 1 else f"{name} ({spaces.count(name)} times)"
        for name in counted
    )


def owner_words(owner: str) -> str:
    """Say whose a region is, of QEMU's ``owner:{dev id=nic0}``; other words stay as they are."""
    match = _OWNER.match(owner)
    if match is None:
        return owner.removeprefix("owner:")
    kind = "device" if match["kind"] == "dev" else "object"
    by = " of type" if match["by"] == "type" else ""
    return f"{kind}{by} {match['who']}"


def row_span(start: int, end: int) -> str:
    """Return first and last address as tables have them: of one width."""
    return f"{start:016x}-{end - 1:016x}"


def span(start: int, end: int) -> str:
    """Return first and last address."""
    return f"{start:x}-{end - 1:x}"
