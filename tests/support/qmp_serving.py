"""A machine that is played, behind a real QMP socket, for programs run as users run them."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from guestmap.base import PeerError
from guestmap.qmp.client import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from guestmap.qmp.client import Channel

GREETING = {"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""},
                    "capabilities": []}}  # fmt: skip


class QmpServing:
    """Serves one client after another; ``asked`` is every command that came, with its arguments.

    Args:
        machine: answers, and tells events.
        path: of the socket.
    """

    def __init__(self, machine: Channel, path: Path) -> None:
        self.path = str(path)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._machine = machine
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Serve nobody any more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(30)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with client, suppress(OSError, PeerError):
                    self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        _send(client, GREETING)
        text, decoder = "", json.JSONDecoder()
        while data := client.recv(1 << 16):
            text = (text + data.decode()).lstrip()
            while text:
                try:
                    request, end = decoder.raw_decode(text)
                except ValueError:
                    break
                text = text[end:].lstrip()
                self._answer(client, request)

    def _answer(self, client: socket.socket, request: dict[str, Any]) -> None:
        command, arguments = request["execute"], request.get("arguments", {})
        reply: dict[str, Any] = {"id": request.get("id")}
        if command == "qmp_capabilities":
            reply["return"] = {}
        else:
            self.asked.append((command, arguments))
            try:
                reply["return"] = self._machine.execute(command, arguments)
            except CommandError as error:
                reply["error"] = {"class": error.kind, "desc": str(error)}
        for event in self._machine.events():
            stamp = {"seconds": 0, "microseconds": 0}
            _send(client, {"event": event.name, "data": dict(event.data), "timestamp": stamp})
        _send(client, reply)


def _send(client: socket.socket, message: dict[str, Any]) -> None:
    client.sendall(json.dumps(message).encode() + b"\r\n")


@contextmanager
def serving(machine: Channel, path: Path) -> Iterator[QmpServing]:
    """Serve a machine for a while."""
    served = QmpServing(machine, path)
    try:
        yield served
    finally:
        served.close()
