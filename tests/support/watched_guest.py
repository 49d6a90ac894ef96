"""A guest in a QEMU, run to its end; where it falls silent, it is told where its CPUs stand."""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

from tests.support.processes import popen

if TYPE_CHECKING:
    from collections.abc import Callable

_ANSWER_S = 20
_LOOKS = 3
_PROMPT = b"(qemu) "
_QUESTIONS = ("info registers -a", "cpu 0", "info lapic", "cpu 1", "info lapic")
_TELLING = re.compile(r"CPU[# ]|HLT=|R?SP=|CR0=|^(ICR|ISR|IRR|APR|Timer)\b")


class Run(NamedTuple):
    """How a guest came to its end.

    Attributes:
        lines: what it printed; the last one may be unfinished.
        standstill: where its CPUs stood when it fell silent, looked at several times; "" where it
            came to its end.
    """

    lines: list[str]
    standstill: str


def run_watched(
    command: list[str], *, timeout_s: float, silence_s: float, told: Callable[[str], None]
) -> Run:
    """Run a QEMU until it ends, prints nothing for too long, or has no time left.

    Args:
        command: with the guest's console on standard output.
        timeout_s: how long all may take.
        silence_s: how long the guest may print nothing.
        told: hears each line.
    """
    monitor, peer = socket.socketpair()
    words = ["-chardev", f"socket,id=hmp,fd={peer.fileno()}", "-mon", "chardev=hmp,mode=readline"]
    process = popen(
        command + words,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, pass_fds=(peer.fileno(),),
    )  # fmt: skip
    peer.close()
    lines, deadline, standstill = [""], time.monotonic() + timeout_s, ""
    try:
        assert process.stdout is not None
        while True:
            patience = max(0, min(silence_s, deadline - time.monotonic()))
            if not select.select([process.stdout], [], [], patience)[0]:
                standstill = _where(monitor)
                break
            read = os.read(process.stdout.fileno(), 1 << 16)
            if not read:
                break
            first, *others = read.decode(errors="replace").replace("\r", "").split("\n")
            lines[-1] += first
            for each in others:
                told(lines[-1])
                lines.append(each)
    finally:
        process.kill()
        process.communicate()
        monitor.close()
    return Run(lines, standstill)


def _where(monitor: socket.socket) -> str:
    """Tell where each CPU is, and which interrupts wait for it."""
    monitor.settimeout(_ANSWER_S)
    found = []
    try:
        _answer(monitor)  # the greeting
        for look in range(1, _LOOKS + 1):
            found.append(f"look {look} of {_LOOKS}:")
            for question in _QUESTIONS:
                monitor.sendall(question.encode() + b"\n")
                found += [each for each in _answer(monitor) if _TELLING.search(each)]
    except OSError as error:
        found.append(f"QEMU does not answer: {error}")
    return "\n".join(found)


def _answer(monitor: socket.socket) -> list[str]:
    answer = b""
    while not answer.endswith(_PROMPT):
        read = monitor.recv(1 << 16)
        if not read:
            raise ConnectionError("it has ended")
        answer += read
    return answer.decode(errors="replace").splitlines()
