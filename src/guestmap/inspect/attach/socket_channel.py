"""QMP over a socket, with QEMU's own client library behind a synchronous face.

``qemu.qmp`` is asyncio; here its loop runs only while a command waits for its answer. Deadlines
are the loop's, so a peer that says nothing, or stops halfway, ends in an error and not in a wait.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from guestmap.base import PeerError, UnsupportedError
from guestmap.inspect.attach.dial import busy, listener_of
from guestmap.inspect.attach.monitor import Channel, CommandError, GoneError, MonitorEvent

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from qemu.qmp import QMPClient

    from guestmap.inspect.attach.target import TcpTarget, UnixTarget

_PARTING_S = 1.0


class SocketChannel(Channel):
    """One QMP session over a connected socket, which it owns.

    Args:
        client: as :func:`new_client` gives it.
        connection: connected; nothing was read from it yet.
        target: what it is connected to, for messages.
        greeting_s: seconds to wait for the greeting and for the end of the handshake.
        reply_s: seconds to wait for the answer to a command.

    Raises:
        PeerError: no greeting (a busy monitor), or it is not QMP; the socket is closed.
    """

    def __init__(
        self,
        client: QMPClient,
        connection: socket.socket,
        target: UnixTarget | TcpTarget,
        *,
        greeting_s: float,
        reply_s: float,
    ) -> None:
        self._target = target
        self._reply_s = reply_s
        self._client = client
        self._runner = asyncio.Runner()
        self._closed = False
        try:
            self._runner.run(self._greet(connection, greeting_s))
        except BaseException:
            self.close()
            connection.close()
            raise

    @property
    def source(self) -> str:
        """The socket, as the command line names it."""
        return str(self._target)

    def execute(self, command: str, arguments: Mapping[str, object]) -> object:
        """Send a command and return what it returns (see :class:`Channel`)."""
        (answer,) = self.execute_many([(command, arguments)])
        if isinstance(answer, CommandError):
            raise answer
        return answer

    def execute_many(
        self, requests: Sequence[tuple[str, Mapping[str, object]]]
    ) -> list[object | CommandError]:
        """Send commands without waiting in between, and return what each returns."""
        return self._runner.run(self._execute(requests))

    def events(self) -> list[MonitorEvent]:
        """Return the events that came with the answers since the last call."""
        return [_event(message) for message in self._client.events.clear()]

    def close(self) -> None:
        """End the session and the socket; it may be called twice."""
        if not self._closed:
            self._closed = True
            self._runner.run(self._part())
            self._runner.close()

    async def _greet(self, connection: socket.socket, greeting_s: float) -> None:
        from qemu.qmp import ConnectError

        listener = listener_of(connection)  # the library closes what does not greet
        try:
            async with asyncio.timeout(greeting_s):
                await self._client.connect(connection)
        except TimeoutError as error:
            if self._client.greeting is not None:
                raise self._problem(
                    f"greeted, then said nothing more within {greeting_s:g} s"
                ) from error
            what = f"connected, but no QMP greeting within {greeting_s:g} s"
            raise busy(self._target, what, listener) from error
        except ConnectError as error:
            raise self._problem(_why_no_session(error.exc)) from error

    async def _execute(
        self, requests: Sequence[tuple[str, Mapping[str, object]]]
    ) -> list[object | CommandError]:
        commands = [command for command, _ in requests]
        waits = [self._client.execute(command, given or None) for command, given in requests]
        try:
            async with asyncio.timeout(self._reply_s):
                answers = await asyncio.gather(*waits, return_exceptions=True)
        except TimeoutError as error:
            what = f"no answer to {', '.join(commands)} within {self._reply_s:g} s"
            raise self._problem(what) from error
        return [
            await self._judged(command, answer)
            for command, answer in zip(commands, answers, strict=True)
        ]

    async def _judged(self, command: str, answer: object) -> object | CommandError:
        """Return an answer, or the machine's error; raise what is no answer."""
        from qemu.qmp import ExecInterruptedError, ExecuteError, QMPError, StateError

        if isinstance(answer, ExecuteError):
            said = answer.error.error
            return CommandError(f"{self._target}: {command}: {said.desc}", said.class_)
        if isinstance(answer, ExecInterruptedError | StateError):
            await self._explain_loss(command)
        if isinstance(answer, QMPError):
            raise self._problem(f"the answer to {command} is not QMP: {_line(answer)}") from answer
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def _explain_loss(self, command: str) -> NoReturn:
        """Raise why the session ended, as the reader saw it."""
        try:
            await self._client.disconnect()
        except _endings() as cause:
            what = f"{self._target}: {_why_lost(cause)} (asked for {command})"
            # The library's errors are of messages that came and were not understood.
            has_gone = isinstance(cause, EOFError | OSError)
            raise (GoneError if has_gone else PeerError)(what) from cause
        raise GoneError(f"{self._target}: the session has ended (asked for {command})")

    async def _part(self) -> None:
        with suppress(*_endings()):
            async with asyncio.timeout(_PARTING_S):
                await self._client.disconnect()

    def _problem(self, what: str) -> PeerError:
        return PeerError(f"{self._target}: {what}")


def new_client() -> QMPClient:
    """Return QEMU's own client, not connected.

    Raises:
        UnsupportedError: the package ``qemu.qmp`` is not installed.
    """
    try:
        from qemu.qmp import Message, QMPClient
    except ModuleNotFoundError as error:
        raise UnsupportedError(
            "attaching to a QMP socket needs the Python package qemu.qmp, which is not installed:"
            " pip install 'guestmap[attach]'"
        ) from error

    class Client(QMPClient):
        """One that does not turn every message into text for a log that nobody keeps."""

        def _cb_outbound(self, msg: Message) -> Message:
            return msg

        def _cb_inbound(self, msg: Message) -> Message:
            return msg

    return Client()


def _endings() -> tuple[type[Exception], ...]:
    """Return what the library's reader may end with: whatever JSON and sockets can raise."""
    from qemu.qmp import QMPError

    return QMPError, OSError, EOFError, ValueError, RecursionError


def _event(message: Mapping[str, Any]) -> MonitorEvent:
    return MonitorEvent(str(message["event"]), message.get("data") or {})


def _why_no_session(cause: BaseException) -> str:
    """Say why a connection did not become a session."""
    from qemu.qmp.qmp_client import NegotiationError

    if isinstance(cause, EOFError):
        return "closed the connection without a greeting: it is not QEMU's QMP, or QEMU just ended"
    if isinstance(cause, OSError):
        return f"the connection broke before the greeting ({cause})"
    if isinstance(cause, NegotiationError):
        return "greeted, but refused qmp_capabilities"
    raw = _raw(cause)
    if b"monitor - type 'help'" in raw:
        return (
            "it is QEMU's human monitor; guestmap needs a QMP one"
            " (-qmp unix:PATH,server=on,wait=off)"
        )
    found = repr(raw[:60]) if raw else _line(cause)
    return f"not a QMP socket: expected a greeting in JSON, found {found}"


def _why_lost(cause: BaseException) -> str:
    """Say why a session ended."""
    if isinstance(cause, EOFError):
        return "closed the connection"
    if isinstance(cause, OSError):
        return f"the connection broke ({cause})"
    if type(cause) is ValueError:  # what asyncio's reader raises beyond its limit
        return "the answer is longer than a QMP message may be (10 MiB)"
    raw = _raw(cause)
    if raw and not raw.endswith(b"\n"):
        return "closed the connection in the middle of a message"
    return f"sent what is not QMP: {raw[:60]!r}" if raw else f"sent what is not QMP: {_line(cause)}"


def _line(error: BaseException) -> str:
    """Return what an error says, without the message that it shows over many lines."""
    return str(getattr(error, "error_message", None) or error).splitlines()[0]


def _raw(error: BaseException | None) -> bytes:
    """Return the bytes that could not be read as a message, where the library kept them."""
    while error is not None:
        raw = getattr(error, "raw", None)
        if isinstance(raw, bytes):
            return raw
        error = error.__cause__
    return b""
