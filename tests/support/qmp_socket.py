"""A QMP client of a few lines: what goes over the wire, byte for byte."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any, Self

from guestmap.monitor import TcpAddress, UnixAddress

if TYPE_CHECKING:
    from types import TracebackType

    from guestmap.monitor import Address

TIMEOUT_S = 30


def _connect(client: socket.socket, path: str) -> None:
    """Connect to a file that is there, and perhaps not listened at yet."""
    end = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return client.connect(path)
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


class QmpSocket:
    """A connection; ``greeting`` is the first line, ``events`` are those that came meanwhile."""

    def __init__(self, address: Address, *, negotiate: bool = True) -> None:
        if isinstance(address, UnixAddress):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(TIMEOUT_S)
            _connect(self.socket, address.path)
        else:
            assert isinstance(address, TcpAddress)
            self.socket = socket.create_connection((address.host, address.port), TIMEOUT_S)
        self._file = self.socket.makefile("rb")
        self.events: list[dict[str, Any]] = []
        self.greeting = self.line()
        if negotiate:
            assert self.ask("qmp_capabilities") == {}

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self) -> bytes:
        """Return the next line; b"" at the end of the connection."""
        return self._file.readline()

    def message(self) -> dict[str, Any]:
        line = self.line()
        assert line.endswith(b"\r\n"), line
        message: dict[str, Any] = json.loads(line)
        return message

    def reply(self) -> dict[str, Any]:
        """Return the next message that is no event."""
        while "event" in (message := self.message()):
            self.events.append(message)
        return message

    def event(self, name: str) -> dict[str, Any]:
        """Return the next event of that name."""
        for index, event in enumerate(self.events):
            if event["event"] == name:
                return self.events.pop(index)
        while (message := self.message()).get("event") != name:
            assert "event" in message, message
            self.events.append(message)
        return message

    def execute(self, command: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the whole answer."""
        request: dict[str, Any] = {"execute": command}
        if arguments is not None:
            request["arguments"] = arguments
        self.send(json.dumps(request).encode() + b"\n")
        return self.reply()

    def ask(self, command: str, **arguments: Any) -> Any:
        """Return what a command returns; ``_`` in a name means ``-``."""
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        answer = self.execute(command, named or None)
        assert "return" in answer, answer
        return answer["return"]

    def error(self, command: str, **arguments: Any) -> tuple[str, str]:
        """Return the class and the text of the error that a command ends in."""
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        answer = self.execute(command, named)
        assert "error" in answer, answer
        return answer["error"]["class"], answer["error"]["desc"]

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
