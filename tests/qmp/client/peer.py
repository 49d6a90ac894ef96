"""Peers for tests: one that plays a script on a socket, and one that answers from a table."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING, Any, Self

from guestmap.qmp.client import Channel, CommandError, MonitorEvent, UnixTarget
from guestmap.qmp.client.allowed import HMP
from guestmap.qmp.client.socket_channel import SocketChannel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

GREETING = (
    b'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""},'
    b' "capabilities": ["oob"]}}\r\n'
)
TARGET = UnixTarget("/run/fake.sock")
NEVER_S = 0.05
"""A deadline for an answer that will not come."""
LONG_S = 30.0
"""A deadline for an answer that will."""


class Wire:
    """The peer's end: what a script reads and sends."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self._rest = ""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def request(self) -> dict[str, Any]:
        """Return the next request (no newline ends it); {} where the other side has gone."""
        while True:
            try:
                request, end = json.JSONDecoder().raw_decode(self._rest)
            except ValueError:
                data = self.socket.recv(1 << 16)
                if not data:
                    return {}
                self._rest = (self._rest + data.decode()).lstrip()
            else:
                self._rest = self._rest[end:].lstrip()
                return request

    def answer(self, **members: Any) -> None:
        """Answer the next request."""
        reply = {**members, "id": self.request().get("id")}
        self.send(json.dumps(reply).encode() + b"\r\n")

    def greet(self) -> None:
        """Shake hands as QEMU does."""
        self.send(GREETING)
        self.answer(**{"return": {}})

    def close(self) -> None:
        self.socket.close()

    def wait_for_the_end(self) -> None:
        """Say nothing more until the other side hangs up."""
        while self.request():
            pass


class ScriptedPeer:
    """Plays a script at the other end of a socket pair, as a context manager."""

    def __init__(self, script: Callable[[Wire], None]) -> None:
        self.ours, theirs = socket.socketpair()
        self._wire = Wire(theirs)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._play, args=(script,), daemon=True)

    def channel(self, greeting_s: float = LONG_S, reply_s: float = LONG_S) -> SocketChannel:
        return SocketChannel(self.ours, TARGET, greeting_s=greeting_s, reply_s=reply_s)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.ours.close()
        self._thread.join(LONG_S)
        assert not self._thread.is_alive(), "the script still waits"
        if self._error is not None and error is None:
            raise self._error

    def _play(self, script: Callable[[Wire], None]) -> None:
        try:
            script(self._wire)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client hung up first, as it may
        except BaseException as error:  # noqa: BLE001 (raised again in the test's thread)
            self._error = error
        finally:
            self._wire.close()


class FakeQemu(Channel):
    """A channel to a machine that knows some lines and commands, and complains as QEMU does.

    Args:
        lines: answer by human monitor line; a list is given out one by one, its last for ever.
        commands: what other QMP commands return.
        complaint: what an unknown line is answered with; ``{flag}`` is the line's last flag.
    """

    source = "unix:/run/fake.sock"

    def __init__(
        self,
        lines: Mapping[str, str | list[str]],
        commands: Mapping[str, object] | None = None,
        complaint: str = 'mtree: unsupported option {flag}\r\nTry "help info mtree"\r\n',
    ) -> None:
        self.lines = {line: [text] if isinstance(text, str) else list(text)
                      for line, text in lines.items()}  # fmt: skip
        self.commands = {"query-version": VERSION, **(commands or {})}
        self.complaint = complaint
        self.asked: list[str] = []
        self.told: list[MonitorEvent] = []
        self.closed = 0

    def execute(self, command: str, arguments: Mapping[str, object]) -> object:
        if command == HMP:
            line = str(arguments["command-line"])
            self.asked.append(line)
            texts = self.lines.get(line)
            if texts is None:
                return self.complaint.format(flag=line.rsplit(maxsplit=1)[-1])
            return texts.pop(0) if len(texts) > 1 else texts[0]
        if command not in self.commands:
            raise CommandError(f"The command {command} has not been found", "CommandNotFound")
        return self.commands[command]

    def events(self) -> list[MonitorEvent]:
        told, self.told = self.told, []
        return told

    def close(self) -> None:
        self.closed += 1


VERSION = {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": "Debian"}
