"""The monitor: how a machine is managed from outside, in QEMU's words.

:class:`MonitorServer` speaks QMP on sockets; the wire itself is :mod:`guestmap.qmp`.
"""

from guestmap.monitor.address import Address, TcpAddress, UnixAddress, parse_address
from guestmap.monitor.server import MonitorServer

__all__ = ["Address", "MonitorServer", "TcpAddress", "UnixAddress", "parse_address"]
