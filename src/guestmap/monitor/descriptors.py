"""Descriptors that come over a connection beside its bytes (unix(7), SCM_RIGHTS)."""

from __future__ import annotations

import os
import socket
from array import array
from collections import deque

_MOST_AT_ONCE = 4
_BYTES = array("i").itemsize
_ROOM = socket.CMSG_LEN(_MOST_AT_ONCE * _BYTES)
_MOST = 16


class DescriptorSocket(socket.socket):
    """A connection that keeps the descriptors that come over it; asyncio reads the bytes.

    Attributes:
        arrived: those that nobody has taken yet, the oldest first; of more than 16 the newest stay.
    """

    arrived: deque[int]

    @classmethod
    def of(cls, connection: socket.socket) -> DescriptorSocket:
        """Return a connection as one of these; the other object is of no use any more."""
        made = cls(fileno=connection.detach())
        made.arrived = deque()
        return made

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return bytes that came, and keep the descriptors that came with them."""
        data, more, _flags, _where = self.recvmsg(size, _ROOM, flags | socket.MSG_CMSG_CLOEXEC)
        if more:
            self._keep(more)
        return data

    def _keep(self, more: list[tuple[int, int, bytes]]) -> None:
        # Not socket.recv_fds, which forgets its flags: children would inherit what came.
        for level, kind, content in more:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                whole = len(content) - len(content) % _BYTES
                self.arrived.extend(array("i", content[:whole]))
        while len(self.arrived) > _MOST:
            os.close(self.arrived.popleft())

    def close(self) -> None:
        """End the connection, and what came over it for nobody."""
        super().close()
        while self.arrived:
            os.close(self.arrived.popleft())
