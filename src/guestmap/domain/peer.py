"""A running machine whose memory may be changed: the thin wire below planning and applying."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from guestmap.base import ConfigError, PeerError
from guestmap.inspect.attach import (
    FORMS,
    Attachment,
    CommandError,
    LibvirtTarget,
    Monitor,
    TcpTarget,
    open_channel,
    parse_target,
)
from guestmap.inspect.attach.commands import COMMANDS, HMP, check

if TYPE_CHECKING:
    from types import TracebackType

    from guestmap.inspect import Snapshot
    from guestmap.inspect.attach import Channel, Target

_T = TypeVar("_T")
_LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}
_UNKNOWN = ("unknown command", "info: ", "invalid ")


@dataclass(frozen=True, slots=True)
class Route:
    """How a machine is reached, as far as it matters to what can be known of it.

    Attributes:
        is_local: it runs on this host, so this host's memory is its memory.
        carries_events: QEMU's events come this way; libvirt keeps them to itself.
        is_libvirts: libvirt manages the machine, and will not learn of what is done here.
    """

    is_local: bool = True
    carries_events: bool = True
    is_libvirts: bool = False


class Peer:
    """Asks and changes one machine; a context manager that lets go of it at the end.

    Args:
        channel: carries the commands; it is closed with the peer.
        route: how the machine is reached.
    """

    def __init__(self, channel: Channel, route: Route | None = None) -> None:
        self._channel = channel
        self._map = Attachment(Monitor(channel))
        self.route = route or Route()
        self.source = channel.source
        self.close = channel.close
        self.events = channel.events

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def ask(self, command: str, shape: type[_T], arguments: dict[str, Any] | None = None) -> _T:
        """Return what a question is answered with, in the shape that QMP promises.

        Raises:
            CommandError: the machine answered with an error.
            PeerError: the answer is not of that shape, or the machine has gone.
        """
        check(command, arguments or {})
        reply = self._channel.execute(command, arguments or {})
        try:
            return msgspec.convert(reply, shape)
        except msgspec.ValidationError as error:
            raise PeerError(
                f"{self.source}: what {command} returned is not what QMP promises: {error}"
            ) from error

    def try_ask(
        self, command: str, shape: type[_T], arguments: dict[str, Any] | None = None
    ) -> _T | None:
        """Return the same; None where the machine answers with an error: it cannot tell."""
        try:
            return self.ask(command, shape, arguments)
        except CommandError:
            return None

    def human(self, line: str) -> str | None:
        """Return the human monitor's text; None where it does not know the line."""
        text = self.try_ask(HMP, str, {"command-line": line})
        if text is None or text.startswith(_UNKNOWN):
            return None
        return text.replace("\r\n", "\n")

    def change(self, command: str, arguments: dict[str, Any]) -> None:
        """Execute a command that changes the machine.

        Raises:
            CommandError: the machine refused.
            PeerError: it does not answer: the change may have been made all the same.
        """
        check(command, arguments, may_change=True)
        if not COMMANDS[command].changes:
            raise ConfigError(f"{command} is a question, not a change")
        self._channel.execute(command, arguments)

    def snapshot(self) -> Snapshot:
        """Return the machine's map as it is now."""
        return self._map.snapshot()


def open_peer(source: str) -> Peer:
    """Connect to a running machine.

    Raises:
        ConfigError: ``source`` names none.
        HostError, PeerError, UnsupportedError: as :func:`guestmap.inspect.attach.attach`.
    """
    target = parse_target(source)
    if target is None:
        raise ConfigError(
            f"this needs a running machine ({', '.join(FORMS)}, or the path of a QMP socket), and"
            f" {source!r} is none"
        )
    return Peer(open_channel(target), route_of(target))


def route_of(target: Target) -> Route:
    """Return what is known of a machine from how it is named."""
    if isinstance(target, LibvirtTarget):
        is_local = target.uri is None or ":///" in target.uri
        return Route(is_local=is_local, carries_events=False, is_libvirts=True)
    return Route(is_local=not isinstance(target, TcpTarget) or target.host in _LOCAL_HOSTS)
