"""How the sub-commands print: sentences, or JSON."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from guestmap.base import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from guestmap.inspect.map.snapshot import Snapshot


def envelope(command: str, form: dict[str, Any]) -> dict[str, Any]:
    """Return a result's JSON form with its format and the version of that in front.

    In all of them ``version`` is that of the program whose map it is, ``start`` the first address
    of a range, and ``end`` the one after its last.
    """
    return {"format": f"guestmap.{command}", "format_version": 1, **form}


def with_notes(command: str, form: dict[str, Any], *snapshots: Snapshot) -> dict[str, Any]:
    """Return the same, and what reading the maps had to note; it comes first."""
    notes = [note for snapshot in snapshots for note in snapshot.notes]
    return envelope(command, {**form, "notes": [*notes, *form.get("notes", ())]})


def show(form: Any, sentences: Iterable[str], as_json: bool) -> None:
    """Print a result's JSON form or its sentences."""
    if as_json:
        say_json(form)
        return
    for line in sentences:
        say(line)


def show_moments(
    command: str,
    moments: Sequence[str] | None,
    answers: Sequence[tuple[dict[str, Any], Iterable[str]]],
    as_json: bool,
) -> None:
    """Print the answer to each moment that was asked for; a single one as if it were none.

    Args:
        command: whose answers they are.
        moments: as ``--at`` names them.
        answers: for each, or the only one: its JSON form, and its sentences.
        as_json: print JSON.
    """
    if moments is None or len(moments) < 2:
        show(*answers[0], as_json)
        return
    form = [{"at": at, "answer": told} for at, (told, _) in zip(moments, answers, strict=True)]
    lines = [
        line
        for at, (_, sentences) in zip(moments, answers, strict=True)
        for line in (f"at {at}:", *(f"  {each}" for each in sentences))
    ]
    show(envelope(command, {"moments": form}), lines, as_json)


def counted(number: int, what: str) -> str:
    """Return how many there are of what: ``1 machine``, ``2 machines``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def say(line: str, *, flush: bool = False) -> None:
    """Print one line, which stays one whatever names are in it."""
    print(printable(line), flush=flush)


def warn(line: str) -> None:
    """Print one line to stderr."""
    print(printable(line), file=sys.stderr)


def say_of(output: Path, line: str) -> None:
    """Print one line about a file that was written; to stderr where it is standard output."""
    if _is_standard_output(output):
        warn(line)
    else:
        say(line)


def _is_standard_output(output: Path) -> bool:
    with suppress(OSError, ValueError):  # nothing there to compare, or no standard output
        return os.path.samestat(output.stat(), os.fstat(sys.stdout.fileno()))
    return False


def say_json(form: Any, *, indent: int | None = 2, flush: bool = False) -> None:
    """Print JSON; ASCII, and without control characters."""
    print(json_text(form, indent=indent), flush=flush)


def json_text(form: Any, *, indent: int | None = 2) -> str:
    """Return JSON in which every character that is not printable ASCII is escaped."""
    import json  # a quiet boot prints none

    return json.dumps(form, indent=indent).replace("\x7f", "\\u007f")


def write(text: str) -> None:
    """Print whole lines that another program reads, such as QEMU's own tables."""
    sys.stdout.write(text)
