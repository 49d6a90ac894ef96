"""``python -m guestmap.accel.unicorn.internals IDENTITY``: explore the library, and print it.

Run by :mod:`~guestmap.accel.unicorn.internals.known` for a build that nobody has looked at.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import replace

from guestmap.accel.unicorn.binding import x86
from guestmap.accel.unicorn.internals.exploring import explore
from guestmap.accel.unicorn.internals.findings import nothing
from guestmap.accel.unicorn.internals.library import Library, Refused
from guestmap.accel.unicorn.internals.parts import Internals
from guestmap.accel.unicorn.layout import open_cpu
from guestmap.accel.unicorn.leaving import Leaving
from guestmap.accel.unicorn.window import InterruptWindow
from guestmap.base import UnsupportedError

_MODEL = x86.UC_CPU_X86_QEMU64


def main(identity: str) -> str:
    """Return what there is, as text."""
    try:
        library = Library()
        if library.identity != identity:
            return nothing("another library is loaded here")
        findings = explore(library, _MODEL)
        uc = open_cpu(_MODEL)
        leaving = Leaving(uc)
        window = InterruptWindow(uc, findings.layout, lambda: 0)
        tried = Internals(uc, library, findings, leaving, window)
    except (Refused, UnsupportedError) as error:
        return nothing(str(error))
    return replace(findings, refused=tried.refused).to_text()


logging.disable()
sys.stdout.write(main(sys.argv[1]))
