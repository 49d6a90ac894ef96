"""One connection to a machine's monitor: :mod:`guestmap.domain.process.session` on a socket.

QEMU's own client library is asyncio; here a call is a write and a read, because that is all that
stands between an operator and the guest, and its bytes must be libvirt's.
"""

from __future__ import annotations

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
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

GREETING_S = 30.0
"""Seconds that a machine has to greet: it may load a kernel, or find its memory, before."""
REPLY_S = 60.0
"""Seconds that a command may take: memory of gigabytes may be filled meanwhile."""
_SOON_S = 1e-4
"""Seconds that are waited where no more time is left: what is there already is taken."""


class Wire(Channel):
    """A monitor's client; a channel that needs no library.

    It need not be waited for: the machine takes the connection while its client goes on, and the
    first command, or :meth:`greet`, waits for its greeting.

    Args:
        path: the monitor's socket.
        greeting_s: seconds to wait for the greeting.
        reply_s: seconds to wait for an answer.

    Raises:
        HostError: there is no such socket.
        GoneError: the machine ended.
        PeerError: its connections queue up.
    """

    def __init__(
        self, path: str, *, greeting_s: float = GREETING_S, reply_s: float = REPLY_S
    ) -> None:
        self._path = path
        self._reply_s = reply_s
        self._session = LibvirtSession()
        self._events: deque[MonitorEvent] = deque()
        self._answers: dict[str, CommandReply] = {}
        self._is_greeted = False
        self._greeting_s = greeting_s
        self._socket = dial(UnixTarget(path), min(greeting_s, 5.0))
        try:
            # libvirt writes before the machine listens: the kernel keeps it until then.
            self._awaited: str | None = self._ask("qmp_capabilities", {})
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

    def greet(self) -> None:
        """Wait for the machine's greeting; nothing where it came already.

        Raises:
            GoneError: the machine ended.
            PeerError: it does not greet, or is no QMP.
        """
        name, self._awaited = self._awaited, None
        if name is None:
            return
        try:
            answer = self._answer(name, "a greeting", self._greeting_s)
        except BaseException:
            self._awaited = name
            raise
        if answer.error is not None or not self._is_greeted:
            raise PeerError(f"{self.source}: refused qmp_capabilities")

    def execute(
        self,
        command: str,
        arguments: Mapping[str, object],
        meanwhile: Callable[[], object] = lambda: None,
    ) -> object:
        """Send a command and return what it returns; ``meanwhile`` is done while it waits.

        Raises:
            ConfigError: it is not one that is sent.
            CommandError: the machine answered with an error.
            GoneError: the machine ended.
            PeerError: it answers with nonsense, or not at all.
        """
        check(command, arguments, may_change=True, is_owner=True)
        self.greet()
        name = self._ask(command, arguments)
        meanwhile()
        return _value(self._answer(name, command, self._reply_s))

    def execute_all(self, commands: Sequence[tuple[str, Mapping[str, object]]]) -> list[object]:
        """Send commands one behind the other; return what each returns; raises as :meth:`execute`.

        They are questions, or else each has to make sense whatever becomes of those before it.
        """
        for command, arguments in commands:
            check(command, arguments, may_change=True, is_owner=True)
        self.greet()
        names, lines = zip(*(self._session.request(*each) for each in commands), strict=True)
        self._send(b"".join(lines))
        answers = [
            self._answer(name, command, self._reply_s)
            for name, (command, _) in zip(names, commands, strict=True)
        ]
        return [_value(each) for each in answers]

    def _ask(self, command: str, arguments: Mapping[str, object]) -> str:
        name, line = self._session.request(command, arguments)
        self._send(line)
        return name

    def _answer(self, name: str, awaited: str, seconds: float) -> CommandReply:
        """Return the answer of that id, as soon as it is there."""
        deadline = time.monotonic() + seconds
        while name not in self._answers:
            self._receive(deadline, awaited)
        return self._answers.pop(name)

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
        self.greet()
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

    def _receive(self, deadline: float, awaited: str) -> None:
        """Wait for the next messages, and put each where it is looked for."""
        try:
            self._socket.settimeout(max(_SOON_S, deadline - time.monotonic()))
            data = self._socket.recv(1 << 16)
        except TimeoutError:
            if not awaited:
                raise
            raise PeerError(f"{self.source}: no answer to {awaited} in time") from None
        except OSError as error:
            raise GoneError(f"{self.source}: the machine has gone ({error})") from error
        if not data:
            raise GoneError(f"{self.source}: the machine has gone")
        for each in self._session.feed(data):
            if isinstance(each, MonitorEvent):
                self._events.append(each)
            elif isinstance(each, Greeting):
                self._is_greeted = True
            else:
                self._answers[each.id] = each


def _value(answer: CommandReply) -> object:
    if answer.error is not None:
        kind, said = answer.error
        raise CommandError(said, kind)
    return answer.value


def greeted(path: str, seconds: float) -> Wire:
    """Return a monitor's client when the machine has greeted it.

    Raises:
        HostError, PeerError: as :class:`Wire` and :meth:`Wire.greet`.
    """
    wire = Wire(path, greeting_s=seconds)
    try:
        wire.greet()
    except BaseException:
        wire.close()
        raise
    return wire


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
