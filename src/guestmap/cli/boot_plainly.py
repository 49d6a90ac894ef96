"""``guestmap boot`` without the library of the command line, for lines that are plainly right."""

from __future__ import annotations

import sys

from guestmap.cli.boot_machine import boot_machine
from guestmap.cli.boot_options import BootOptions
from guestmap.cli.ending import ended, let_interrupts_raise
from guestmap.cli.streams import standard_streams


def run(options: BootOptions) -> None:
    """Boot, and end the program with the status, as :func:`guestmap.cli.app.run` does."""
    with standard_streams() as streams:
        let_interrupts_raise()
        status = ended(lambda: boot_machine(options), as_json=options.as_json)
        status = streams.settle(status, changes=False)
    sys.exit(status)
