"""A machine's monitor, whatever carries the commands there.

A :class:`Channel` carries one QMP command there and its answer back: a socket, or libvirt. The
:class:`Monitor` above it sends nothing but read-only commands, and knows what shape answers have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from guestmap.base import PeerError, shortened
from guestmap.qmp.client.allowed import HMP, check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_T = TypeVar("_T")
_OURS = "guestmap "


_MOST_WORDS = 4096
"""Characters of what a machine says of an error; QEMU's own are a sentence or two."""


class CommandError(PeerError):
    """The machine answered a command with an error.

    Attributes:
        kind: QMP's class of the error, for example ``CommandNotFound``.
    """

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(shortened(message, _MOST_WORDS))
        self.kind = kind


class GoneError(PeerError):
    """The machine's end of the session is no more: it ended, or was killed."""


@dataclass(frozen=True, slots=True)
class MonitorEvent:
    """Something that the machine told unasked: QMP's name of the event, and its data."""

    name: str
    data: Mapping[str, Any]


class Channel(Protocol):
    """Carries commands to one machine."""

    @property
    def source(self) -> str:
        """Whose monitor it is, in the words that name it on the command line."""

    def execute(self, command: str, arguments: Mapping[str, object]) -> object:
        """Return what the command returns.

        Raises:
            CommandError: the machine answered with an error.
            GoneError: the session has ended.
            PeerError: it answered with nonsense, or not at all.
        """

    def execute_each(
        self, requests: Sequence[tuple[str, Mapping[str, object]]]
    ) -> Iterator[object | CommandError]:
        """Yield what each command returns, or the error that the machine answered it with.

        What is done with an answer is done while the machine writes the next one. Unless a channel
        knows better they go one after another.

        Raises:
            PeerError: as :meth:`execute`.
        """
        for command, arguments in requests:
            try:
                answer = self.execute(command, arguments)
            except CommandError as error:
                yield error
            else:
                yield answer

    def execute_many(
        self, requests: Sequence[tuple[str, Mapping[str, object]]]
    ) -> list[object | CommandError]:
        """Return all that :meth:`execute_each` yields."""
        return list(self.execute_each(requests))

    def version(self) -> object:
        """Return what query-version returns; a channel that was told it before need not ask."""
        return self.execute("query-version", {})

    def events(self) -> list[MonitorEvent]:
        """Return the events that came since the last call; none where they are not carried."""

    def close(self) -> None:
        """Let go of the machine; it may be called twice."""


class Version(msgspec.Struct):
    """QEMU's version, as numbers."""

    major: int
    minor: int
    micro: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.micro}"


class VersionReply(msgspec.Struct):
    """The answer to query-version; as a string what answers: ``7.2.22``, ``guestmap 0.1.0``.

    ``package`` is the distributor's name for a QEMU. A machine of ours says there what it is; the
    numbers are those of the QEMU whose commands it has.
    """

    qemu: Version
    package: str = ""

    def __str__(self) -> str:
        return self.package if self.package.startswith(_OURS) else str(self.qemu)


def program(version: str) -> str:
    """Return a version with the program's name in front: ``QEMU 7.2.22``, ``guestmap 0.1.0``."""
    return version if version.startswith(_OURS) else f"QEMU {version}"


class _NameReply(msgspec.Struct):
    name: str = ""


class _StatusReply(msgspec.Struct):
    status: str
    running: bool


class Monitor:
    """Asks a machine, and changes nothing in it.

    Args:
        channel: what carries the commands; it is closed with the monitor.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.source = channel.source
        self.close = channel.close
        self.events = channel.events

    def query(self, command: str, **arguments: object) -> object:
        """Execute a command of the table of read-only ones; ``_`` in an argument means ``-``.

        Raises:
            ConfigError: it is not in the table.
            CommandError: the machine answered with an error.
            PeerError: the machine does not answer as QMP promises.
        """
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        check(command, named)
        return self._channel.execute(command, named)

    def query_each(self, command: str, many: Sequence[Mapping[str, object]]) -> Iterator[object]:
        """Execute a command with each of several arguments, and yield the answers as they come.

        Raises:
            ConfigError, CommandError, PeerError: see :meth:`query`.
        """
        for arguments in many:
            check(command, arguments)
        for answer in self._channel.execute_each([(command, arguments) for arguments in many]):
            if isinstance(answer, CommandError):
                raise answer
            yield answer

    def human(self, line: str) -> str:
        """Execute a human monitor command and return its text, lines ended by newlines."""
        (text,) = self.human_each([line])
        return text

    def human_each(self, lines: Sequence[str]) -> Iterator[str]:
        """Execute human monitor commands, all sent at once, and yield each text when it comes.

        Raises:
            CommandError, PeerError: as :meth:`query`, of the first that was answered so.
        """
        for answer in self.query_each(HMP, [{"command-line": line} for line in lines]):
            yield self._as(answer, HMP, str).replace("\r\n", "\n")

    def version(self) -> str:
        """Return QEMU's version, for example ``7.2.22``; of our machine ``guestmap 0.1.0``."""
        return str(self._as(self._channel.version(), "query-version", VersionReply))

    def name(self) -> str:
        """Return the guest's name (``-name``), or ""."""
        return self._shaped("query-name", _NameReply).name

    def status(self) -> str:
        """Return the run state in QMP's words, for example ``running`` or ``paused``."""
        return self._shaped("query-status", _StatusReply).status

    def _shaped(self, command: str, shape: type[_T], **arguments: object) -> _T:
        return self._as(self.query(command, **arguments), command, shape)

    def _as(self, reply: object, command: str, shape: type[_T]) -> _T:
        try:
            return msgspec.convert(reply, shape)
        except msgspec.ValidationError as error:
            raise PeerError(
                f"{self.source}: what {command} returned is not what QMP promises: {error}"
            ) from error
