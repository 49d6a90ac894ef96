"""One change of a domain at a time, whoever makes it: threads, and programs of this host.

A job is a lock on a file, which the kernel gives back when its holder ends, however it ends.
Reading takes none, so it never waits for one.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from guestmap.base import HostError
from guestmap.domain.listen import Pace, RealPace
from guestmap.domain.rules.errors import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from guestmap.domain.rules.texts import LibvirtDialect

WAIT_S = 30.0
"""Seconds that a change waits for the one before it, as libvirt has it."""
_POLL_S = 0.01
_MOST = 4096


class Holder(msgspec.Struct):
    """Who has the job, as the lock's file says."""

    verb: str = "another command"
    process: int = 0

    def __str__(self) -> str:
        return f"{self.verb}, process {self.process}" if self.process else self.verb


@contextmanager
def job(
    path: Path,
    verb: str,
    dialect: LibvirtDialect,
    *,
    wait_s: float = WAIT_S,
    pace: Pace | None = None,
    on_wait: Callable[[Holder, float], object] | None = None,
) -> Iterator[bool]:
    """Hold a domain's job for the time of a ``with``; give whether the one before was broken off.

    Args:
        path: the lock's file.
        verb: what is done, for others who wait.
        dialect: whose words a refusal has.
        wait_s: seconds to wait.
        pace: the time.
        on_wait: told once, where it has to be waited for: who holds it, and the seconds at most.

    Raises:
        DomainError: somebody else held it all the time; names who.
        HostError: the lock cannot be had.
    """
    time = pace or RealPace()
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise HostError(f"cannot open {path}", errno=error.errno, call="open") from error
    try:
        deadline = time.now() + wait_s
        while not _taken(descriptor):
            if time.now() >= deadline:
                raise refusal(
                    dialect, "job", holder=holder(descriptor),
                    remedy="try again when it is done",
                )  # fmt: skip
            if on_wait is not None:
                on_wait(holder(descriptor), wait_s)
                on_wait = None
            time.sleep(_POLL_S)
        was_broken_off = os.fstat(descriptor).st_size > 0
        named = msgspec.json.encode(Holder(verb, os.getpid()))
        os.pwrite(descriptor, named, 0)  # never empty meanwhile: we may be killed here, too
        if was_broken_off:
            os.ftruncate(descriptor, len(named))
        yield was_broken_off
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def holder(descriptor: int) -> Holder:
    """Return who holds a job."""
    try:
        return msgspec.json.decode(os.pread(descriptor, _MOST, 0), type=Holder)
    except (OSError, ValueError):
        return Holder()


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
