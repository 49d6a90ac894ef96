"""How a command ends: with its status, or with that of an error, which is told in one line."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable

from guestmap.base import GuestmapError, HostError, printable, shortened
from guestmap.cli.streams import FAILURE, INTERRUPTED

_NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EINTR}
"""What a host may answer to any call, that of an import among them."""
_MOST_WORDS = 16_384
"""Characters of an error: it may quote what a stranger sent."""


def ended(command: Callable[[], int | None], *, as_json: bool) -> int:
    """Run a command; return the exit status.

    Args:
        command: does it; what it returns is its status, 0 where it returns none.
        as_json: an error is told to programs, too.
    """
    try:
        return command() or 0
    except GuestmapError as error:
        return refused(str(error), type(error).__name__, error, as_json=as_json)
    except MemoryError:
        return refused("the host has no memory left", HostError.__name__, as_json=as_json)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        where = f": {os.fsdecode(error.filename)}" if error.filename else ""
        what = f"the host refuses ({error.strerror}){where}"
        return refused(what, HostError.__name__, as_json=as_json)
    except KeyboardInterrupt:
        print("guestmap: interrupted", file=sys.stderr)
        return INTERRUPTED


def refused(
    message: str, kind: str, error: Exception | None = None, *, as_json: bool = False
) -> int:
    """Say why a command ends, for people; and for programs, in one line too."""
    message = shortened(message, _MOST_WORDS)
    if as_json:
        from guestmap.cli.error_form import error_form
        from guestmap.cli.output import say_json

        say_json(error_form(kind, message, FAILURE, error), indent=None, flush=True)
    print(f"guestmap: {printable(message)}", file=sys.stderr)
    return FAILURE


def let_interrupts_raise() -> None:
    """Let Ctrl-C raise from now on; see ``guestmap/__main__.py``, which had it end at once."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
