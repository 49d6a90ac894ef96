"""A word on a terminal while a running machine, or libvirt, says nothing."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from guestmap.domain import Peer
    from guestmap.inspect.sources.live import Attachment
    from guestmap.qmp.client import Target

_SOON_S = 1.5
"""Seconds after which somebody who looks on wonders."""


@contextmanager
def patience(source: str) -> Iterator[None]:
    """Say on stderr, in a ``with`` that lasts, which machine is waited for, and until when.

    Nothing is said of what is no running machine, nor into a pipe; what was said is taken back at
    the end.
    """
    if not sys.stderr.isatty():
        yield
        return
    with meanwhile(lambda over: _tell(source, over)):
        yield


@contextmanager
def meanwhile(told: Callable[[Event], None]) -> Iterator[None]:
    """Have another thread tell something while a ``with`` lasts; it ends by the event."""
    over = Event()
    thread = Thread(target=told, args=(over,), name="guestmap-meanwhile", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def asked_peer(source: str) -> Iterator[Peer]:
    """Connect, with patience, to a machine whose memory may be changed; let go at the end.

    Raises:
        ConfigError, HostError, PeerError, UnsupportedError: see :func:`guestmap.domain.open_peer`.
    """
    from guestmap.domain import open_peer

    with patience(source):
        peer = open_peer(source)
    with peer:
        yield peer


@contextmanager
def asked_machine(source: str, target: Target) -> Iterator[Attachment]:
    """Attach, with patience, to a machine that is looked at; let go at the end.

    Raises:
        ConfigError, HostError, PeerError, UnsupportedError: see
            :func:`guestmap.inspect.sources.live.attach`.
    """
    from guestmap.inspect.sources.live import attach

    with patience(source):
        machine = attach(target)
    with machine:
        yield machine


def _tell(source: str, over: Event) -> None:
    if over.wait(_SOON_S) or not _is_live(source):
        return
    from rich.text import Text

    from guestmap.base import printable
    from guestmap.cli.console import console
    from guestmap.qmp.client.open import GREETING_S, REPLY_S

    words = (
        f"waiting for {printable(source)} (given up after {GREETING_S:g} s without a greeting,"
        f" {REPLY_S:g} s without an answer)"
    )
    with console(stderr=True).status(Text(words)):
        over.wait()


def _is_live(source: str) -> bool:
    from guestmap.base import ConfigError
    from guestmap.inspect.sources.open import target_of

    try:
        return target_of(source) is not None
    except ConfigError:
        return False
