"""QMP over a socket: the shell of a :class:`ClientSession` that sends, waits and gives up.

QEMU's own client library, ``qemu.qmp``, is asyncio: to import it and to make its loop costs more
than all that is asked here. Deadlines are the socket's, so a peer that says nothing, or stops
halfway, ends in an error and not in a wait.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from guestmap.base import PeerError
from guestmap.qmp.client.dial import busy, listener_of
from guestmap.qmp.client.monitor import Channel, CommandError, GoneError, MonitorEvent
from guestmap.qmp.client.session import MOST_BYTES, ClientSession, NoQmpError

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping, Sequence

    from guestmap.qmp.client.address import TcpTarget, UnixTarget

_CHUNK = 1 << 18


class SocketChannel(Channel):
    """One QMP session over a connected socket, which it owns.

    Args:
        connection: connected; nothing was read from it yet.
        target: what it is connected to, for messages.
        greeting_s: seconds to wait for the greeting and for the end of the handshake.
        reply_s: seconds to wait for the answer to a command.

    Raises:
        PeerError: no greeting (a busy monitor), or it is not QMP; the socket is closed.
    """

    def __init__(
        self,
        connection: socket.socket,
        target: UnixTarget | TcpTarget,
        *,
        greeting_s: float,
        reply_s: float,
    ) -> None:
        self._target = target
        self._reply_s = reply_s
        self._socket = connection
        self._session = ClientSession()
        self._is_lost = False
        try:
            self._greet(greeting_s)
        except BaseException:
            self.close()
            raise

    @property
    def source(self) -> str:
        """The socket, as the command line names it."""
        return str(self._target)

    def version(self) -> object:
        """Return the answer to query-version, which the greeting had (see :class:`Channel`)."""
        greeting = self._session.greeting or {}
        return greeting["version"] if "version" in greeting else super().version()

    def execute(self, command: str, arguments: Mapping[str, object]) -> object:
        """Send a command and return what it returns (see :class:`Channel`)."""
        (answer,) = self.execute_each([(command, arguments)])
        if isinstance(answer, CommandError):
            raise answer
        return answer

    def execute_each(
        self, requests: Sequence[tuple[str, Mapping[str, object]]]
    ) -> Iterator[object | CommandError]:
        """Send all commands at once, and yield each answer when it is there."""
        commands = [command for command, _ in requests]
        if self._is_lost:
            raise GoneError(f"{self._target}: the session has ended (asked for {commands[0]})")
        deadline = time.monotonic() + self._reply_s
        sent = [self._session.request(command, arguments) for command, arguments in requests]
        names = [name for name, _ in sent]
        try:
            self._send(b"".join(data for _, data in sent), deadline)
            for name, command in zip(names, commands, strict=True):
                while (message := self._session.answer(name)) is None:
                    self._receive(deadline)
                given = time.monotonic()
                yield self._judged(command, message)
                deadline += time.monotonic() - given  # what is done with it is not the peer's time
        except TimeoutError as error:
            what = f"no answer to {', '.join(commands)} within {self._reply_s:g} s"
            raise self._problem(what) from error
        except (EOFError, OSError, NoQmpError) as error:
            raise self._loss(error, commands[0]) from error
        finally:
            self._session.forget(names)

    def events(self) -> list[MonitorEvent]:
        """Return the events that came with the answers since the last call."""
        told = [_event(message) for message in self._session.events]
        self._session.events.clear()
        return told

    def close(self) -> None:
        """End the session and the socket; it may be called twice."""
        self._is_lost = True
        self._socket.close()

    def _greet(self, greeting_s: float) -> None:
        listener = listener_of(self._socket)
        deadline = time.monotonic() + greeting_s
        session = self._session
        try:
            while session.greeting is None:
                self._receive(deadline)
            name, data = session.request("qmp_capabilities", {})
            self._send(data, deadline)
            while (answer := session.answer(name)) is None:
                self._receive(deadline)
        except TimeoutError as error:
            if session.greeting is not None:
                what = f"greeted, then said nothing more within {greeting_s:g} s"
                raise self._problem(what) from error
            what = f"connected, but no QMP greeting within {greeting_s:g} s"
            raise busy(self._target, what, listener) from error
        except (EOFError, OSError, NoQmpError) as error:
            raise self._problem(_why_no_session(error, session)) from error
        if "return" not in answer:
            raise self._problem("greeted, but refused qmp_capabilities")

    def _send(self, data: bytes, deadline: float) -> None:
        self._allow(deadline)
        try:
            self._socket.sendall(data)
        except TimeoutError:
            self._is_lost = True  # half a request is on its way
            raise
        except OSError:
            self._take_last_words()
            raise

    def _take_last_words(self) -> None:
        """Take what a machine said before it went, and nobody has read yet."""
        with suppress(OSError, NoQmpError):
            self._socket.setblocking(False)
            while data := self._socket.recv(_CHUNK):
                self._session.receive(data)

    def _receive(self, deadline: float) -> None:
        self._allow(deadline)
        data = self._socket.recv(_CHUNK)
        if not data:
            raise EOFError
        self._session.receive(data)

    def _allow(self, deadline: float) -> None:
        """Let the next call of the socket last until the deadline.

        Raises:
            TimeoutError: it has come.
        """
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)

    def _judged(self, command: str, message: Mapping[str, Any]) -> object | CommandError:
        """Return an answer, or the machine's error; raise what is no answer."""
        if "return" in message:
            answer: object = message["return"]
            return answer
        error = message.get("error")
        kind, desc = (error.get("class"), error.get("desc")) if isinstance(error, dict) else (0, 0)
        if not isinstance(kind, str) or not isinstance(desc, str):
            found = repr(dict(message))[:60]
            raise self._problem(f"the answer to {command} is not QMP: {found}")
        return CommandError(f"{self._target}: {command}: {desc}", kind)

    def _loss(self, cause: Exception, command: str) -> PeerError:
        """Return why the session ended, and have it ended."""
        self._is_lost = True
        what = f"{self._target}: {_why_lost(cause, self._session)} (asked for {command})"
        return (PeerError if isinstance(cause, NoQmpError) else GoneError)(what)

    def _problem(self, what: str) -> PeerError:
        return PeerError(f"{self._target}: {what}")


def _event(message: Mapping[str, Any]) -> MonitorEvent:
    data = message.get("data")
    return MonitorEvent(str(message["event"]), data if isinstance(data, dict) else {})


def _why_no_session(cause: Exception, session: ClientSession) -> str:
    """Say why a connection did not become a session."""
    raw = cause.raw if isinstance(cause, NoQmpError) else bytes(session.rest)
    if not raw and isinstance(cause, EOFError):
        return "closed the connection without a greeting: it is not QEMU's QMP, or QEMU just ended"
    if isinstance(cause, OSError):
        return f"the connection broke before the greeting ({cause})"
    if b"monitor - type 'help'" in raw:
        return (
            "it is QEMU's human monitor; guestmap needs a QMP one"
            " (-qmp unix:PATH,server=on,wait=off)"
        )
    return f"not a QMP socket: expected a greeting in JSON, found {raw[:60]!r}"


def _why_lost(cause: Exception, session: ClientSession) -> str:
    """Say why a session ended."""
    if isinstance(cause, EOFError):
        return f"closed the connection{' in the middle of a message' if session.rest else ''}"
    if not isinstance(cause, NoQmpError):
        return f"the connection broke ({cause})"
    if cause.is_too_long:
        return f"the answer is longer than a QMP message may be ({MOST_BYTES >> 20} MiB)"
    return f"sent what is not QMP: {cause.raw[:60]!r}"
