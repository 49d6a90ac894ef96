"""The client's side of QMP: whoever speaks to somebody's machine does it through here.

A *channel* carries commands and events (a socket, libvirt); :class:`Monitor` sends only what is
on the one list of commands that may be asked (:mod:`guestmap.qmp.client.allowed`).
"""

from guestmap.qmp.client.address import (
    FORMS,
    LibvirtTarget,
    Target,
    TcpTarget,
    TlsTarget,
    UnixTarget,
    parse_target,
)
from guestmap.qmp.client.keyboard import Keyboard
from guestmap.qmp.client.monitor import (
    Channel,
    CommandError,
    GoneError,
    Monitor,
    MonitorEvent,
    VersionReply,
    program,
)
from guestmap.qmp.client.open import open_channel

__all__ = [
    "FORMS",
    "Channel",
    "CommandError",
    "GoneError",
    "Keyboard",
    "LibvirtTarget",
    "Monitor",
    "MonitorEvent",
    "Target",
    "TcpTarget",
    "TlsTarget",
    "UnixTarget",
    "VersionReply",
    "open_channel",
    "parse_target",
    "program",
]
