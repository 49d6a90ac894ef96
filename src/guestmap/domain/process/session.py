"""QMP as libvirt speaks it, without a socket: values in, bytes out, and the other way round.

Ids count from ``libvirt-1`` in each connection. The bytes are libvirt's own (compact JSON, CR LF,
the order of the members), so a log of them can be laid beside one of libvirt's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from guestmap.base import PeerError
from guestmap.qmp.client import MonitorEvent

MOST_BYTES = 16 << 20
"""Bytes of one message."""


class Greeting(msgspec.Struct, frozen=True):
    """The machine's first word."""

    version: Mapping[str, Any] = {}


class CommandReply(msgspec.Struct, frozen=True):
    """What a command returned, or the class and words of its error."""

    id: str
    value: Any = None
    error: tuple[str, str] | None = None


Message = Greeting | CommandReply | MonitorEvent


class LibvirtSession:
    """The state of one connection."""

    def __init__(self) -> None:
        self._number = 0
        self._rest = b""

    def request(
        self, command: str, arguments: Mapping[str, Any] | None = None
    ) -> tuple[str, bytes]:
        """Return the id and the line of a command."""
        self._number += 1
        name = f"libvirt-{self._number}"
        told: dict[str, Any] = {"execute": command}
        if arguments:
            told["arguments"] = dict(arguments)
        told["id"] = name
        return name, msgspec.json.encode(told) + b"\r\n"

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that bytes complete.

        Raises:
            PeerError: it is no QMP.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MOST_BYTES:
            raise PeerError(f"a message is longer than {MOST_BYTES >> 20} MiB")
        return [_message(line) for line in lines if line.strip()]


def _message(line: bytes) -> Message:
    try:
        told = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise PeerError(f"sent what is not QMP: {line[:60]!r}")
    if "QMP" in told:
        version = told["QMP"].get("version", {}) if isinstance(told["QMP"], dict) else {}
        return Greeting(version if isinstance(version, dict) else {})
    if isinstance(told.get("event"), str):
        data = told.get("data")
        return MonitorEvent(told["event"], data if isinstance(data, dict) else {})
    error = told.get("error")
    if isinstance(error, dict):
        return CommandReply(_id(told), error=(str(error.get("class")), str(error.get("desc"))))
    if "return" in told:
        return CommandReply(_id(told), told["return"])
    raise PeerError(f"sent what is not QMP: {line[:60]!r}")


def _id(told: dict[str, Any]) -> str:
    name = told.get("id")
    return name if isinstance(name, str) else ""
