"""Starting and ending a machine's process, so that none is ever lost.

The process that is to become the machine waits until it is told to go on: by then its number is on
the disk. If whoever starts it is killed before, it ends without having been a machine.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from guestmap.base import HostError
from guestmap.domain.journal import Process

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_SHELL = "/bin/sh"
_WAIT = 'cd / && read -r _ || exit 1; exec "$@" </dev/null'
_FIRST = 3
_HIGH = 64
_TERMINATE_S, _KILL_S = 10.0, 5.0
_TOLD_BYTES = 2048


class Launch:
    """A process that waits to become a machine.

    Args:
        words: its command line.
        sockets: descriptors that it gets, as 3, 4, ...
        more: variables of its environment besides ours.
        log: where its output goes.

    Raises:
        HostError: the host does not start it.
    """

    def __init__(
        self, words: Sequence[str], sockets: Sequence[int], more: Mapping[str, str], log: Path
    ) -> None:
        reading, self._go = os.pipe()
        moved = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, _HIGH) for each in (reading, *sockets)]
        os.close(reading)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        actions = [
            (os.POSIX_SPAWN_OPEN, 1, os.fspath(log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            (os.POSIX_SPAWN_DUP2, moved[0], 0),
            *((os.POSIX_SPAWN_DUP2, each, _FIRST + n) for n, each in enumerate(moved[1:])),
        ]
        try:
            number = os.posix_spawn(
                _SHELL, [_SHELL, "-c", _WAIT, "sh", *words], {**os.environ, **more},
                file_actions=actions, setsid=True,
            )  # fmt: skip
        except OSError as error:
            os.close(self._go)
            raise HostError("cannot start a machine", errno=error.errno, call="spawn") from error
        finally:
            for each in moved:
                os.close(each)
        self.process = Process.of(number)

    def go(self) -> None:
        """Let it become the machine."""
        with suppress(BrokenPipeError):
            os.write(self._go, b"\n")
        os.close(self._go)
        self._go = -1

    def drop(self) -> None:
        """Let it end without having been one; it may be called after :meth:`go`, and twice."""
        if self._go >= 0:
            os.close(self._go)
            self._go = -1
        end(self.process, gently=False)


def end(process: Process, *, gently: bool = True) -> None:
    """End a process, and wait until it has; nothing where it has already.

    Args:
        process: which.
        gently: with SIGTERM first, and SIGKILL after 10 s.

    Raises:
        HostError: it does not end.
    """
    try:
        held = os.pidfd_open(process.number)
    except ProcessLookupError:
        return
    except OSError as error:
        raise HostError(f"cannot end process {process.number}", errno=error.errno) from error
    try:
        # Held by its descriptor, its number cannot become another's.
        if not process.is_alive:
            return
        for number, seconds in ((signal.SIGTERM, _TERMINATE_S if gently else 0.0),
                                (signal.SIGKILL, _KILL_S)):  # fmt: skip
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(held, number)
            if ended(held, seconds):
                return
    except PermissionError as error:
        raise HostError(f"cannot end process {process.number}", errno=errno.EPERM) from error
    finally:
        os.close(held)
        with suppress(ChildProcessError):
            os.waitpid(process.number, os.WNOHANG)
    raise HostError(f"process {process.number} does not end: the kernel holds it")


def ends_soon(process: Process, seconds: float = 1.0) -> bool:
    """Wait a moment for the end of a process; tell whether it has come."""
    try:
        held = os.pidfd_open(process.number)
    except OSError:
        return True
    try:
        return not process.is_alive or ended(held, seconds)
    finally:
        os.close(held)


def ended(held: int, seconds: float) -> bool:
    """Wait until a process, held by its descriptor, has ended; tell whether it has."""
    looking = select.poll()
    looking.register(held, select.POLLIN)
    return bool(looking.poll(seconds * 1000))


def last_words(log: Path) -> str:
    """Return what a process said at its end: the last line of its log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TOLD_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    told = [line.strip() for line in lines if line.strip()]
    return told[-1] if told else ""
