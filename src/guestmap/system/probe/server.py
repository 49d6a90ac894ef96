"""The monitor of a probe: one socket, a table, and nothing of the machine.

Small on purpose: no module of ours is imported that imports another. A line that is not in the
table to the byte goes, with everything after it, to the real monitor.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from guestmap.system.probe.claimed import kvm_path, table_path
from guestmap.system.probe.kvm import has_kvm
from guestmap.system.probe.line import ProbeLine

ID = b',"id":"'
"""What libvirt writes before its number of a question, the last member."""
_END = b'"}\r\n'
_READ_BYTES = 65536
_BACKLOG = 8


def read_table(data: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the greeting and, by question, the answer: both without the id, and without an end."""
    lines = data.split(b"\n")
    return lines[0], dict(zip(lines[1::2], lines[2::2], strict=False))


def serve(asked: ProbeLine, claim: str) -> int:
    """Answer until the process is killed; return the exit status in the parent.

    Args:
        asked: where.
        claim: the QEMU that is claimed.
    """
    greeting, answers = read_table(table_path(claim).read_bytes())
    is_kvm = asked.wants_kvm and has_kvm()
    if is_kvm:
        answers |= read_table(kvm_path(claim).read_bytes())[1]
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(asked.socket)
            listener.listen(_BACKLOG)
            child = os.fork()
            if child:
                Path(asked.pid_file).write_text(f"{child}\n")
                return 0
        except OSError as error:
            print(f"guestmap-system-x86_64: {asked.socket}: {error.strerror}", file=sys.stderr)
            return 1
        _detach()
        while True:
            client, _ = listener.accept()
            with client:
                _Conversation(client, greeting, answers, (claim, is_kvm)).hold()


def _detach() -> None:
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for each in (0, 1, 2):
        os.dup2(nowhere, each)


class _Conversation:
    """What is said to one client, until it goes."""

    def __init__(
        self,
        client: socket.socket,
        greeting: bytes,
        answers: dict[bytes, bytes],
        real: tuple[str, bool],
    ) -> None:
        self._client = client
        self._real = real
        self._greeting = greeting
        self._answers = answers
        self._is_negotiating = True

    def hold(self) -> None:
        """Answer until the client goes."""
        try:
            self._client.sendall(self._greeting + b"\r\n")
            rest = b""
            while data := self._client.recv(_READ_BYTES):
                *lines, rest = (rest + data).split(b"\n")
                for number, line in enumerate(lines):
                    reply = self._reply(line + b"\n")
                    if reply is None:
                        left = b"\n".join([*lines[number:], rest])
                        self._hand_over(left)
                        return
                    self._client.sendall(reply)
        except OSError:
            return

    def _reply(self, line: bytes) -> bytes | None:
        """Return the answer; None where the table has none."""
        question, mark, number = line.rpartition(ID)
        name = number.removesuffix(_END)
        answer = self._answers.get(question)
        plain = mark and name != number and name.isascii() and name.replace(b"-", b"").isalnum()
        if answer is None or not plain:
            return None
        is_first = question == b'{"execute":"qmp_capabilities"'
        if is_first is not self._is_negotiating:
            return None
        self._is_negotiating = False
        if answer.startswith(b'{"error"'):
            return b'{"id": "' + name + b'", ' + answer[1:] + b"}\r\n"
        return answer + b', "id": "' + name + b'"}\r\n'

    def _hand_over(self, left: bytes) -> None:
        from guestmap.system.probe.real import RealMonitor

        with RealMonitor(*self._real) as monitor:
            talk = monitor.conversation(is_negotiating=self._is_negotiating)
            data = left
            while data:
                for reply in talk.replies(data):
                    self._client.sendall(reply)
                if monitor.is_over:
                    os._exit(0)
                data = self._client.recv(_READ_BYTES)
