"""Attach to a machine that somebody else runs, and look at its memory map.

Nothing but read-only commands is ever sent::

    with attach("unix:/run/vm.sock") as machine:
        snapshot = machine.snapshot()
"""

from guestmap.inspect.attach.attachment import Attachment, Reading
from guestmap.inspect.attach.monitor import (
    Channel,
    CommandError,
    GoneError,
    Monitor,
    MonitorEvent,
    VersionReply,
    program,
)
from guestmap.inspect.attach.open import attach, open_channel
from guestmap.inspect.attach.target import (
    FORMS,
    LibvirtTarget,
    Target,
    TcpTarget,
    UnixTarget,
    parse_target,
)

__all__ = [
    "FORMS",
    "Attachment",
    "Channel",
    "CommandError",
    "GoneError",
    "LibvirtTarget",
    "Monitor",
    "MonitorEvent",
    "Reading",
    "Target",
    "TcpTarget",
    "UnixTarget",
    "VersionReply",
    "attach",
    "open_channel",
    "parse_target",
    "program",
]
