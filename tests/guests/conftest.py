"""The hot-plug guest, on both machines in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.guests.peers import OurPeer, Peer, QemuPeer

Boot = Callable[..., Peer]
"""Starts a machine with the guest on it, from words of QEMU's command line."""


@pytest.fixture(
    params=[
        pytest.param(QemuPeer, id="qemu", marks=[pytest.mark.qemu]),
        pytest.param(OurPeer, id="ours", marks=[pytest.mark.unicorn, pytest.mark.seabios]),
    ]
)
def boot(request: pytest.FixtureRequest) -> Iterator[Boot]:
    """Return what starts a machine; it ends with the test."""
    with ExitStack() as machines:

        def start(*args: str, paused: bool = False) -> Peer:
            return machines.enter_context(request.param(*args, paused=paused))

        yield start
