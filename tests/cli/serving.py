"""``guestmap serve`` as a user starts and ends it."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.processes import popen

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def served(*args: object) -> Iterator[str]:
    """Run the server; yield its address; end it as a user does."""
    command = [sys.executable, "-m", "guestmap", "serve", "--port", "0", *map(str, args)]
    with popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().split()[0]
        finally:
            server.send_signal(signal.SIGINT)
            _, errors = server.communicate(timeout=30)
    assert "Traceback" not in errors, errors
    assert ("warning: whoever reaches" in errors) == ("--host" in args), errors
