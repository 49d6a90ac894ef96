"""One connection to a machine's monitor: :mod:`guestmap.domain.process.session` on a socket.

QEMU's own client library is asyncio; here a call is a write and a read, because that is all that
stands between an operator and the guest, and its bytes must be libvirt's.
"""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from guestmap.base import PeerError
from guestmap.domain.process.session import CommandReply, Greeting, LibvirtSession
from guestmap.qmp.client import Channel, CommandError, GoneError, MonitorEvent, UnixTarget
from guestmap.qmp.client.allowed import check
from guestmap.qmp.client.dial import dial

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from guestmap.domain.process.session import Message

GREETING_S = 30.0
"""Seconds that a machine has to greet: it may load a kernel, or find its memory, before."""
REPLY_S = 60.0
"""Seconds that a command may take: memory of gigabytes may be filled meanwhile."""


class Wire(Channel):
    """A monitor's client; a channel that needs no library.

    Args:
        path: the monitor's socket.
        greeting_s: seconds to wait for the greeting.
        reply_s: seconds to wait for an answer.

    Raises:
        HostError: there is no such socket.
        GoneError: the machine ended.
        PeerError: it does not greet, or is no QMP.
    """

    def __init__(
        self, path: str, *, greeting_s: float = GREETING_S, reply_s: float = REPLY_S
    ) -> None:
        self._path = path
        self._reply_s = reply_s
        self._session = LibvirtSession()
        self._events: deque[MonitorEvent] = deque()
        self._socket = dial(UnixTarget(path), min(greeting_s, 5.0))
        try:
            self._begin(greeting_s)
        except BaseException:
            self.close()
            raise

    @property
    def source(self) -> str:
        """The socket, as the command line names it."""
        return f"unix:{self._path}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _begin(self, greeting_s: float) -> None:
        # libvirt writes before the machine listens: the kernel keeps it until then.
        name, line = self._session.request("qmp_capabilities")
        self._send(line)
        deadline = time.monotonic() + greeting_s
        is_greeted = False
        while True:
            for message in self._receive(deadline, "a greeting"):
                is_greeted = is_greeted or isinstance(message, Greeting)
                if isinstance(message, CommandReply) and message.id == name:
                    if message.error is not None or not is_greeted:
                        raise PeerError(f"{self.source}: refused qmp_capabilities")
                    return

    def execute(self, command: str, arguments: Mapping[str, object]) -> object:
        """Send a command and return what it returns.

        Raises:
            ConfigError: it is not one that is sent.
            CommandError: the machine answered with an error.
            GoneError: the machine ended.
            PeerError: it answers with nonsense, or not at all.
        """
        check(command, arguments, may_change=True, is_owner=True)
        name, line = self._session.request(command, arguments)
        self._send(line)
        deadline = time.monotonic() + self._reply_s
        found: CommandReply | None = None
        while found is None:
            for message in self._receive(deadline, command):
                if isinstance(message, CommandReply) and message.id == name:
                    found = message
        if found.error is not None:
            kind, said = found.error
            raise CommandError(said, kind)
        return found.value

    def events(self) -> list[MonitorEvent]:
        """Return the events that came since the last call."""
        found = list(self._events)
        self._events.clear()
        return found

    def wait(self, seconds: float) -> list[MonitorEvent]:
        """Return the events that came; wait for one where none did.

        Raises:
            GoneError: the machine ended, and nothing is left to be told.
            PeerError: it sent nonsense.
        """
        if not self._events:
            deadline = time.monotonic() + max(0.0, seconds)
            with suppress(TimeoutError):
                self._receive(deadline, "")
        return self.events()

    def fileno(self) -> int:
        """Return the socket's descriptor, to wait for several."""
        return self._socket.fileno()

    def close(self) -> None:
        """Let go of the machine; it may be called twice."""
        self._socket.close()

    def _send(self, line: bytes) -> None:
        try:
            self._socket.sendall(line)
        except OSError as error:
            raise GoneError(f"{self.source}: the machine has gone ({error})") from error

    def _receive(self, deadline: float, awaited: str) -> list[Message]:
        """Return the next messages, events kept aside as well."""
        left = deadline - time.monotonic()
        looking = select.poll()
        looking.register(self._socket, select.POLLIN)
        if not looking.poll(max(0.0, left) * 1000):
            if not awaited:
                raise TimeoutError
            raise PeerError(f"{self.source}: no answer to {awaited} in time")
        try:
            data = self._socket.recv(1 << 16)
        except OSError as error:
            raise GoneError(f"{self.source}: the machine has gone ({error})") from error
        if not data:
            raise GoneError(f"{self.source}: the machine has gone")
        messages = self._session.feed(data)
        self._events.extend(each for each in messages if isinstance(each, MonitorEvent))
        return messages


def listen(path: str) -> socket.socket:
    """Return a socket that listens for one client at a time, in place of one that is dead.

    Raises:
        HostError: the host refuses.
    """
    from pathlib import Path

    from guestmap.base import HostError

    Path(path).unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(path)
        listening.listen(1)
    except OSError as error:
        listening.close()
        raise HostError(
            f"cannot listen at {path} (a path of more than 107 bytes is too long for a socket)"
            if len(path.encode()) > 107
            else f"cannot listen at {path}",
            errno=error.errno,
            call="bind",
            arguments=path,
        ) from error
    return listening
