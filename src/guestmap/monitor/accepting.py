"""Taking in the connections that come to a listening socket.

Not with :meth:`asyncio.loop.create_server`: where the process has no file descriptor left, that
tries and complains hundreds of times a second, and its retries multiply.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from functools import partial

from guestmap.monitor.descriptors import DescriptorSocket

_LOG = logging.getLogger(__name__)
_AT_ONE_GO = 16
_PAUSE_S = 0.1
"""Seconds until the next try where the host has no room for a connection; others may go."""
_COMPLAINT_S = 60.0
_CREDENTIALS = struct.Struct("iII")  # unix(7): struct ucred


class Acceptor:
    """Makes clients of those who connect; everything is called in the loop's thread.

    Args:
        listener: not blocking; it is not closed here.
        made: returns the protocol of a connection that is to come; is given where descriptors that
            come over it are kept.
    """

    def __init__(
        self, listener: socket.socket, made: Callable[[deque[int]], asyncio.Protocol]
    ) -> None:
        self._listener = listener
        self._made = made
        self._loop = asyncio.get_running_loop()
        self._arriving: set[asyncio.Task[object]] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._silent_until = 0.0
        self._users = {os.geteuid()}
        self._watch()

    async def close(self) -> None:
        """Accept nobody any more; who was accepted before is a client when this returns."""
        if self._retry is not None:
            self._retry.cancel()
        self._loop.remove_reader(self._listener)
        await asyncio.gather(*self._arriving, return_exceptions=True)

    def _watch(self) -> None:
        self._retry = None
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONE_GO):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(error)
                return
            self._note(connection)
            wire = DescriptorSocket.of(connection)
            wire.setblocking(False)
            task: asyncio.Task[object] = self._loop.create_task(
                self._loop.connect_accepted_socket(partial(self._made, wire.arrived), wire)
            )
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)

    def _note(self, connection: socket.socket) -> None:
        """Log which process comes; a warning for the first of a user that is not ours."""
        if connection.family != socket.AF_UNIX:
            return
        try:
            raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:
            return
        process, user, group = _CREDENTIALS.unpack(raw)
        level = logging.INFO if user in self._users else logging.WARNING
        self._users.add(user)
        _LOG.log(
            level, "%s: process %d of user %d, group %d connects",
            self._listener.getsockname(), process, user, group,
        )  # fmt: skip

    def _pause(self, error: OSError) -> None:
        """Leave who wants to connect in the queue for a while, and say so now and then."""
        if self._loop.time() >= self._silent_until:
            self._silent_until = self._loop.time() + _COMPLAINT_S
            _LOG.warning("the monitor takes nobody in for now: %s", error.strerror)
        self._loop.remove_reader(self._listener)
        self._retry = self._loop.call_later(_PAUSE_S, self._watch)
