"""The client's side of QMP without I/O: bytes come in, answers and events come out.

Messages are read as QEMU sends them, one JSON object a line, ended by a newline (QEMU Machine
Protocol Specification, "Server Greeting", "Issuing Commands", "Asynchronous events").
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_BYTES = 10 << 20
"""The longest message that is taken."""

MOST_EVENTS = 100_000
"""Events that are kept until they are asked for; of more, the latest."""


class NoQmpError(Exception):
    """What came is no message of QMP.

    Attributes:
        raw: how it begins.
        is_too_long: no end of it came within :data:`MOST_BYTES`.
    """

    def __init__(self, raw: bytes, *, is_too_long: bool = False) -> None:
        super().__init__(repr(raw[:60]))
        self.raw = raw
        self.is_too_long = is_too_long


class ClientSession:
    """One connection to a QMP server, from its greeting on.

    Attributes:
        greeting: what the server said of itself; None: nothing yet.
        events: the messages of events, oldest first.
        rest: the beginning of a message whose end has not come.
    """

    def __init__(self) -> None:
        self.greeting: Mapping[str, Any] | None = None
        self.events: deque[Mapping[str, Any]] = deque(maxlen=MOST_EVENTS)
        self.rest = bytearray()
        self._seen = 0  # of the rest: there is no newline in it so far
        self._count = 0
        self._waiting: set[str] = set()
        self._answers: dict[str, Mapping[str, Any]] = {}

    def request(self, command: str, arguments: Mapping[str, object]) -> tuple[str, bytes]:
        """Return the id and the bytes of a request, whose answer is now awaited."""
        self._count += 1
        name = f"guestmap-{self._count}"
        message: dict[str, object] = {"execute": command}
        if arguments:
            message["arguments"] = arguments
        self._waiting.add(name)
        return name, msgspec.json.encode({**message, "id": name}) + b"\r\n"

    def receive(self, data: bytes) -> None:
        """Take bytes of the stream.

        Raises:
            NoQmpError: they are no message; what came before them was taken.
        """
        self.rest += data
        for line in self._lines():
            if line.strip():
                self._take(line)

    def answer(self, name: str) -> Mapping[str, Any] | None:
        """Return, once, the message that answers a request; None: it has not come."""
        return self._answers.pop(name, None)

    def forget(self, names: list[str]) -> None:
        """Wait no more for the answers to requests: they are dropped when they come."""
        self._waiting.difference_update(names)
        for name in names:
            self._answers.pop(name, None)

    def _lines(self) -> Iterator[bytes]:
        """Take the whole lines of the rest off it."""
        start = 0
        try:
            while (end := self.rest.find(b"\n", max(start, self._seen))) >= 0:
                line = bytes(self.rest[start : end + 1])
                start = self._seen = end + 1
                yield line
        finally:
            del self.rest[:start]
            self._seen = len(self.rest)
        if len(self.rest) > MOST_BYTES:
            raise NoQmpError(bytes(self.rest[:100]), is_too_long=True)

    def _take(self, line: bytes) -> None:
        try:
            message = msgspec.json.decode(line)
        except (ValueError, RecursionError) as error:
            raise NoQmpError(line) from error
        if not isinstance(message, dict):
            raise NoQmpError(line)
        if self.greeting is None:
            greeting = message.get("QMP")
            if not isinstance(greeting, dict):
                raise NoQmpError(line)
            self.greeting = greeting
        elif "event" in message:
            self.events.append(message)
        elif "id" not in message:
            raise NoQmpError(line)
        elif (name := message["id"]) in self._waiting:
            self._waiting.discard(name)
            self._answers[name] = message
