"""``guestmap-system-x86_64``: a machine that is started with QEMU's command line, as libvirt does.

What is asked of every emulator before there is a machine is answered from a table
(:mod:`guestmap.system.probe`): nothing of the machine is imported for that, so nothing is here.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the program; what goes wrong for a reason is one line on stderr and exit status 1."""
    program, *words = sys.argv
    from guestmap.system.probe.claimed import UnknownClaimError, claimed_by
    from guestmap.system.probe.line import probe_line

    try:
        claim = claimed_by(program)
    except UnknownClaimError as error:
        sys.exit(f"guestmap-system-x86_64: {error}")
    asked = probe_line(words)
    if asked is not None:
        from guestmap.system.probe.server import serve

        sys.exit(serve(asked, claim))
    import gc

    gc.disable()  # what is made until the machine runs stays: guestmap.system.run goes on from here
    from guestmap.start.finder import find_in_one_look

    find_in_one_look()
    from guestmap.system.run import run

    sys.exit(run(words, claim))
