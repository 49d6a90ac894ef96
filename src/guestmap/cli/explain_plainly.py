"""``guestmap explain`` without the library of the command line, for lines plainly right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from guestmap.base.collector import collect_from_now_on
from guestmap.cli import plain
from guestmap.cli.explain_answer import explain_answer

PLAIN: Final = plain.PlainForm(
    flags={"--json": "as_json"},
    values={
        "--as": ("space", str),
        "-M": ("machine", plain.board), "--machine": ("machine", plain.board),
    },
    lists={"--at": ("at", str)},
    places=("source", "address"),
)  # fmt: skip


def run(words: Sequence[str]) -> bool:
    """Explain, and end the program; return False, and do nothing, where more must be read."""
    read = plain.plain_words(PLAIN, words)
    if read is None:
        return False
    collect_from_now_on()
    as_json = "as_json" in read.found
    plain.run(lambda: explain_answer(**read.found), as_json=as_json, cleans_up=False)
    return True
