"""Descriptors that come over a connection are kept, bounded, and nobody's but ours."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from guestmap.monitor.descriptors import DescriptorSocket


@pytest.fixture
def wire() -> Iterator[tuple[socket.socket, DescriptorSocket]]:
    """Both ends of a connection."""
    theirs, ours = socket.socketpair()
    with theirs, DescriptorSocket.of(ours) as kept:
        yield theirs, kept


def test_bytes_come_with_descriptors_and_without(
    wire: tuple[socket.socket, DescriptorSocket],
) -> None:
    theirs, ours = wire
    theirs.sendall(b"plain")
    assert ours.recv(100) == b"plain"
    assert not ours.arrived
    read, write = os.pipe()
    socket.send_fds(theirs, [b"both"], [read, write])
    assert ours.recv(100) == b"both"
    assert len(ours.arrived) == 2
    os.write(ours.arrived[1], b"through")
    assert os.read(read, 100) == b"through"
    for each in (read, write):
        os.close(each)


def test_a_child_does_not_inherit_them(wire: tuple[socket.socket, DescriptorSocket]) -> None:
    theirs, ours = wire
    with open(os.devnull, "rb") as sent:
        socket.send_fds(theirs, [b"x"], [sent.fileno()])
    ours.recv(1)
    assert [os.get_inheritable(each) for each in ours.arrived] == [False]


def test_of_many_the_newest_are_kept_and_all_end_with_the_connection(
    wire: tuple[socket.socket, DescriptorSocket],
) -> None:
    theirs, ours = wire
    read, write = os.pipe()
    os.set_blocking(read, False)
    for _ in range(20):
        socket.send_fds(theirs, [b"x"], [write])
        ours.recv(1)
    os.close(write)
    assert len(ours.arrived) == 16
    ours.close()
    assert os.read(read, 1) == b"", "nobody can write any more"
    os.close(read)
