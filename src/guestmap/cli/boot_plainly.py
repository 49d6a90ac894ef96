"""``guestmap boot`` without the library of the command line, for lines that are plainly right."""

from __future__ import annotations

from collections.abc import Sequence

from guestmap.cli import plain
from guestmap.cli.boot_machine import boot_machine
from guestmap.cli.boot_options import plainly_read


def run(words: Sequence[str]) -> bool:
    """Boot, and end the program; return False, and do nothing, where more must be read."""
    options = plainly_read(words)
    if options is None:
        return False
    plain.run(lambda: boot_machine(options), as_json=options.as_json, cleans_up=True)
    return True
