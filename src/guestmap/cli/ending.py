"""How a command ends: with its status, or with that of an error, which is told in one line."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

from guestmap.base import GuestmapError, printable
from guestmap.cli.streams import FAILURE, INTERRUPTED


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
    except KeyboardInterrupt:
        print("guestmap: interrupted", file=sys.stderr)
        return INTERRUPTED


def refused(
    message: str, kind: str, error: Exception | None = None, *, as_json: bool = False
) -> int:
    """Say why a command ends, for people; and for programs, in one line too."""
    if as_json:
        from guestmap.cli.error_form import error_form
        from guestmap.cli.output import say_json

        say_json(error_form(kind, message, FAILURE, error), indent=None, flush=True)
    print(f"guestmap: {printable(message)}", file=sys.stderr)
    return FAILURE


def let_interrupts_raise() -> None:
    """Let Ctrl-C raise from now on; see :func:`guestmap.cli.main`, which had it end at once."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
