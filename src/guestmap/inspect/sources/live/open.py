"""From the name of a machine to what is read of it."""

from __future__ import annotations

from guestmap.inspect.sources.live.attachment import Attachment
from guestmap.qmp.client.address import Target
from guestmap.qmp.client.monitor import Monitor
from guestmap.qmp.client.open import GREETING_S, REPLY_S, open_channel


def attach(
    machine: str | Target, *, greeting_s: float = GREETING_S, reply_s: float = REPLY_S
) -> Attachment:
    """Connect to a running machine; blocks, so call it from no event loop.

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
    return Attachment(Monitor(open_channel(machine, greeting_s=greeting_s, reply_s=reply_s)))
