"""``-daemonize``: going to the background once the program is of use."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

_READY: Final = b"+"


class Background:
    """What the parent waits for.

    The parent ends with 0 when :meth:`ready` was called, and with 1 when this process ends before:
    what is wrong was then said on the stderr that both share.
    """

    def __init__(self) -> None:
        self._pipe: int | None = None

    @classmethod
    def enter(cls) -> Background:
        """Go on in a child; returns there only."""
        read, write = os.pipe()
        if os.fork():
            os.close(write)
            os._exit(0 if os.read(read, 1) == _READY else 1)
        os.close(read)
        os.setsid()
        made = cls()
        made._pipe = write
        return made

    def ready(self) -> None:
        """Let the parent go, and with it the terminal; nothing where there is none."""
        if self._pipe is None:
            return
        nowhere = os.open(os.devnull, os.O_RDWR)
        for each in (0, 1, 2):
            os.dup2(nowhere, each)
        os.close(nowhere)
        with suppress(OSError):  # a parent that was killed
            os.write(self._pipe, _READY)
        os.close(self._pipe)
        self._pipe = None
