"""From the name of a machine to a channel to its monitor."""

from __future__ import annotations

from guestmap.base import ConfigError
from guestmap.qmp.client.address import FORMS, LibvirtTarget, Target, parse_target
from guestmap.qmp.client.monitor import Channel

GREETING_S = 3.0
"""Seconds to wait for a connection, and for QEMU's greeting, which it sends at once."""

REPLY_S = 30.0
"""Seconds to wait for an answer, and for libvirt; a host that swaps may be slow."""


def open_channel(
    machine: str | Target, *, greeting_s: float = GREETING_S, reply_s: float = REPLY_S
) -> Channel:
    """Connect to a running machine and return the bare channel, which carries any command.

    Whoever takes one answers for what is sent. Blocks, so call it from no event loop.

    Args:
        machine: one of :data:`FORMS`, or a path to a QMP socket.
        greeting_s: seconds to wait for QEMU's greeting.
        reply_s: seconds to wait for the answer to a command.

    Raises:
        ConfigError: ``machine`` names none, or libvirt knows no such domain.
        HostError: the operating system, or libvirt, does not connect; says why.
        PeerError: the monitor is busy, or it is not QMP.
        UnsupportedError: the Python package that this needs is not installed; names it.
    """
    target = parse_target(machine) if isinstance(machine, str) else machine
    if target is None:
        raise ConfigError(f"{machine!r} is no running machine: write {', '.join(FORMS)}")
    if isinstance(target, LibvirtTarget):
        from guestmap.qmp.client.libvirt_channel import LibvirtChannel

        return LibvirtChannel(target, reply_s=reply_s)
    from guestmap.qmp.client.dial import dial
    from guestmap.qmp.client.socket_channel import SocketChannel

    connection = dial(target, greeting_s)
    return SocketChannel(connection, target, greeting_s=greeting_s, reply_s=reply_s)
