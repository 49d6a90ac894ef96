"""A real QEMU's QMP server, byte by byte, and ours beside it."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from typing import TYPE_CHECKING, Any, Self

from guestmap.qmp import (
    ANY,
    BOOL,
    INT,
    STR,
    Array,
    Command,
    ErrorClass,
    Limits,
    Member,
    QmpError,
    Request,
    Session,
    Struct,
)
from tests.support.processes import popen
from tests.support.qemu import require_qemu

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

END_ID = "the-end-of-it"
END = b'\xff\n{"execute": "no-such-marker", "id": "%s"}\n' % END_ID.encode()
"""Brings any parser to a known state and makes the last reply known: one stray byte, one error."""

_INFINITE = re.compile(rb"(?<=[ \[])(-?)inf(?=[,\]}])")

STATUS = {"status": "prelaunch", "singlestep": False, "running": False}

COMMANDS = {
    command.name: command
    for command in (
        Command("query-status", None, Struct("StatusInfo")),
        Command(
            "qom-get", Struct("qom-get-arg", (Member("path", STR), Member("property", STR))), ANY
        ),
        Command(
            "qom-list-types",
            Struct(
                "qom-list-types-arg",
                (
                    Member("implements", STR, optional=True),
                    Member("abstract", BOOL, optional=True),
                ),
            ),
            Array(ANY),
        ),
        Command(
            "human-monitor-command",
            Struct(
                "human-monitor-command-arg",
                (Member("command-line", STR), Member("cpu-index", INT, optional=True)),
            ),
            STR,
        ),
        Command("migrate-pause", None, None, oob=True),
    )
}
"""What QEMU has too; ``query-status`` and ``migrate-pause`` are the ones that tests run."""


def values(lines: Iterable[bytes]) -> list[Any]:
    """Decode reply lines; QEMU writes ``inf`` for what JSON calls 1e999."""
    return [json.loads(_INFINITE.sub(rb"\g<1>1e999", line)) for line in lines]


class QemuPeer:
    """The monitor of a QEMU without a machine; nothing is negotiated yet."""

    def __enter__(self) -> Self:
        ours, theirs = socket.socketpair()
        self._process = popen(
            [
                *(require_qemu(), "-M", "none", "-nodefaults", "-display", "none", "-S"),
                *("-chardev", f"socket,id=qmp,fd={theirs.fileno()}"),
                *("-mon", "chardev=qmp,mode=control"),
            ],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        theirs.close()
        self._socket = ours
        self._file = ours.makefile("rb")
        self.greeting = self._file.readline()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def ask(self, data: bytes) -> list[bytes]:
        """Send bytes and return every line that they bring, the end's own included."""
        self._socket.sendall(data + END)
        lines: list[bytes] = []
        while not lines or END_ID.encode() not in lines[-1]:
            line = self._file.readline()
            if not line:
                raise RuntimeError(f"QEMU ended at {data[:200]!r}; replies: {lines[:5]!r}")
            if b'"timestamp"' not in line:
                lines.append(line)
        return lines

    def execute(self, command: str) -> Any:
        """Run a command without arguments and return what it returns."""
        return values(self.ask(json.dumps({"execute": command}).encode()))[0]["return"]


class OurPeer:
    """Our session, with the answers of a stopped QEMU without a machine."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.session = Session(COMMANDS, {}, limits=limits)

    def ask(self, data: bytes, pieces: int = 0) -> list[bytes]:
        """As :meth:`QemuPeer.ask`; ``pieces`` gives the size in which the bytes arrive."""
        data += END
        step = pieces or len(data)
        lines: list[bytes] = []
        for first in range(0, len(data), step):
            for item in self.session.receive(data[first : first + step]):
                lines.append(item if isinstance(item, bytes) else self._answer(item))
        return lines

    def _answer(self, request: Request) -> bytes:
        try:
            return self.session.reply(request, self._run(request))
        except QmpError as error:
            return self.session.error(request, error.cls, error.desc)

    def _run(self, request: Request) -> Any:
        if request.command.name == "query-status":
            return STATUS
        if request.command.name == "migrate-pause":
            text = "migrate-pause is currently only supported during postcopy-active state"
            raise QmpError(ErrorClass.GENERIC, text)
        raise AssertionError(f"no test runs {request.command.name}")
