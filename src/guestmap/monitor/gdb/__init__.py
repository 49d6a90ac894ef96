"""A debugger at the machine: the GDB remote protocol (GDB's manual, appendix E).

``packets`` cuts the wire into packets and ``session`` answers them, both without I/O; ``registers``
is one table for values and description; ``target`` is the machine; ``server`` is the socket.

The instruction pointer is told as a linear address, CS base and all, in every mode: in real mode
GDB would not know its own breakpoints otherwise. The offset is in a register of ours, ``ip``.
"""

from guestmap.monitor.gdb.server import GdbServer

__all__ = ["GdbServer"]
