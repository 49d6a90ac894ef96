"""The guest's own word: its agent, asked whether memory is online.

A guest agent answers on a socket of its own: the character device of the virtio-serial port
``org.qemu.guest_agent.0``. Source: QEMU Guest Agent Protocol Reference. Only the questions of
:data:`AGENT_COMMANDS` are sent.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from guestmap.base import ConfigError, PeerError, exact_size
from guestmap.qmp.client import UnixTarget, parse_target
from guestmap.qmp.client.allowed import AGENT_COMMANDS
from guestmap.qmp.client.dial import dial

if TYPE_CHECKING:
    from guestmap.domain.plugged import MemoryDevice

_DELIMITER = b"\xff"
_MOST_BYTES = 64 << 20
ANSWER_S = 3.0
"""Seconds that an agent has to answer; one that is not started never does."""


class MemoryBlock(msgspec.Struct, rename="kebab"):
    """One of guest-get-memory-blocks: Linux numbers them by address."""

    phys_index: int
    online: bool


class _BlockInfo(msgspec.Struct):
    size: int


class AgentWire(Protocol):
    """Carries a command to a guest agent, and its answer back."""

    def agent(self, command: str) -> object:
        """Return what a command returns; raises PeerError where the agent does not answer so."""


class GuestAgent:
    """A guest's agent, as far as memory goes.

    Args:
        wire: carries the commands.
    """

    def __init__(self, wire: AgentWire) -> None:
        self._wire = wire
        self._block: int | None = None

    def block_size(self) -> int:
        """Return the bytes in which the guest switches memory on.

        Raises:
            PeerError: the agent does not answer, or cannot tell.
        """
        if self._block is None:
            block = self._ask("guest-get-memory-block-info", _BlockInfo).size
            if block <= 0 or block & (block - 1):
                raise PeerError(
                    f"the guest agent tells memory blocks of {exact_size(block)}, no power of two"
                )
            self._block = block
        return self._block

    def online(self, device: MemoryDevice) -> int:
        """Return how many bytes of a device are online in the guest.

        Raises:
            PeerError: as :meth:`block_size`.
        """
        size = self.block_size()
        blocks: list[MemoryBlock] = self._ask("guest-get-memory-blocks", list[MemoryBlock])
        places = (each.phys_index * size for each in blocks if each.online)
        return sum(size for place in places if device.addr <= place < device.end)

    def _ask(self, command: str, shape: Any) -> Any:
        if command not in AGENT_COMMANDS:
            raise ConfigError(f"{command} is not sent to a guest agent")
        try:
            return msgspec.convert(self._wire.agent(command), shape)
        except msgspec.ValidationError as error:
            raise PeerError(f"what the guest agent returned to {command}: {error}") from error


class AgentSocket:
    """The socket of a guest agent; a session for each question, as the protocol allows.

    Args:
        path: of the socket, or ``unix:PATH``.
        answer_s: seconds to wait for an answer.

    Raises:
        ConfigError: it names no socket.
    """

    def __init__(self, path: str, *, answer_s: float = ANSWER_S) -> None:
        target = parse_target(path) or UnixTarget(path)
        if not isinstance(target, UnixTarget):
            raise ConfigError(f"{path!r} is no guest agent's socket: write its path, or unix:PATH")
        self._target = target
        self._answer_s = answer_s

    def agent(self, command: str) -> object:
        """Ask one question (see :class:`AgentWire`).

        Raises:
            HostError: there is no such socket.
            PeerError: the agent does not answer in time, or answers with an error.
        """
        with dial(self._target, self._answer_s) as connection:
            connection.settimeout(self._answer_s)
            sync = {"execute": "guest-sync-delimited", "arguments": {"id": 1}}
            try:
                connection.sendall(_DELIMITER + _line(sync) + _line({"execute": command}))
                data = b""
                while data.partition(_DELIMITER)[2].count(b"\n") < 2 and len(data) < _MOST_BYTES:
                    more = connection.recv(1 << 16)
                    if not more:
                        raise self._silent("closed the connection")
                    data += more
            except OSError as error:
                raise self._silent(f"no answer to {command} ({error})") from error
        return self._value(command, data.partition(_DELIMITER)[2].split(b"\n")[1])

    def _value(self, command: str, text: bytes) -> object:
        try:
            reply: Any = json.loads(text)
            return reply["return"]
        except (ValueError, RecursionError, KeyError, TypeError):
            told = text[:120].decode(errors="replace")
            raise PeerError(f"{self._target}: the guest agent on {command}: {told}") from None

    def _silent(self, what: str) -> PeerError:
        return PeerError(
            f"{self._target}: {what}: perhaps the guest runs no agent (qemu-guest-agent)"
        )


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"
