"""A running machine whose memory may be changed: the thin wire below planning and applying."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from guestmap.base import ConfigError, PeerError
from guestmap.domain.journal import users_journal
from guestmap.domain.questions import Question
from guestmap.inspect.sources.live import Attachment
from guestmap.qmp.client import (
    FORMS,
    CommandError,
    LibvirtTarget,
    Monitor,
    TcpTarget,
    open_channel,
    parse_target,
)
from guestmap.qmp.client.allowed import COMMANDS, check
from guestmap.qmp.client.libvirt_channel import LibvirtChannel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from guestmap.domain.agent import AgentWire
    from guestmap.domain.journal import Journal
    from guestmap.inspect import Snapshot
    from guestmap.qmp.client import Channel, Target

_T = TypeVar("_T")
_LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}


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
        journal: where changes are noted that were begun; None: nowhere.
    """

    def __init__(
        self, channel: Channel, route: Route | None = None, journal: Journal | None = None
    ) -> None:
        self._channel = channel
        self._map = Attachment(Monitor(channel))
        self.route = route or Route()
        self.journal = journal
        self.source = channel.source
        self.close = channel.close
        self.events = channel.events
        self.agent: AgentWire | None = channel if isinstance(channel, LibvirtChannel) else None

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
        answer: _T = self.ask_many([Question(command, shape, arguments or {}, required=True)])[0]
        return answer

    def ask_many(self, questions: Sequence[Question]) -> list[Any]:
        """Return what questions are answered with, all asked before the first answer is awaited.

        None stands where the machine answers with an error: it cannot tell.

        Raises:
            CommandError: the machine answered a required question with an error.
            PeerError: as :meth:`ask`.
        """
        for each in questions:
            check(each.command, each.arguments)
        answers = self._channel.execute_many([(q.command, q.arguments) for q in questions])
        return [self._answer(q, answer) for q, answer in zip(questions, answers, strict=True)]

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

    def _answer(self, question: Question, answer: object) -> Any:
        if isinstance(answer, CommandError):
            if question.required:
                raise answer
            return None
        try:
            return msgspec.convert(answer, question.shape)
        except msgspec.ValidationError as error:
            raise PeerError(
                f"{self.source}: what {question.command} returned is not what QMP promises: {error}"
            ) from error

    def snapshot(self) -> Snapshot:
        """Return the machine's map as it is now."""
        return self._map.snapshot()


def open_peer(source: str) -> Peer:
    """Connect to a running machine.

    Raises:
        ConfigError: ``source`` names none.
        HostError, PeerError, UnsupportedError: as :func:`guestmap.inspect.sources.live.attach`.
    """
    target = parse_target(source)
    if target is None:
        raise ConfigError(
            f"this needs a running machine ({', '.join(FORMS)}, or the path of a QMP socket), and"
            f" {source!r} is none"
        )
    return Peer(open_channel(target), route_of(target), users_journal())


def route_of(target: Target) -> Route:
    """Return what is known of a machine from how it is named."""
    if isinstance(target, LibvirtTarget):
        is_local = target.uri is None or ":///" in target.uri
        return Route(is_local=is_local, carries_events=False, is_libvirts=True)
    return Route(is_local=not isinstance(target, TcpTarget) or target.host in _LOCAL_HOSTS)
