"""A real QEMU to measure beside, driven over qtest; None where there is none."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from types import TracebackType
from typing import Any, Self

from tests.support.qemu_program import find_qemu

_FOUND = find_qemu()
PROGRAM = None if _FOUND is None else _FOUND.path
MACHINE = ("-M", "pc-i440fx-7.2,smm=off", "-nodefaults", "-vga", "none",
           "-global", "apic-common.vapic=off", "-display", "none")  # fmt: skip


class QtestQemu:
    """QEMU with its CPU stopped, answering qtest commands on a socket pair."""

    def __init__(self, *args: str, accel: str = "tcg") -> None:
        assert PROGRAM is not None
        ours, theirs = socket.socketpair()
        monitor, monitor_theirs = socket.socketpair()
        fds = (theirs.fileno(), monitor_theirs.fileno())
        self._process = subprocess.Popen(
            [PROGRAM, *MACHINE, "-accel", accel, "-S", *args,
             "-chardev", f"socket,id=qtest,fd={fds[0]}",
             "-qtest", "chardev:qtest", "-qtest-log", "none",
             "-chardev", f"socket,id=m,fd={fds[1]}", "-mon", "chardev=m,mode=control"],
            pass_fds=fds, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        theirs.close()
        monitor_theirs.close()
        self._socket, self._monitor = ours, monitor
        self._replies = ours.makefile("r")
        self._messages = monitor.makefile("r")
        self._messages.readline()
        self.qmp("qmp_capabilities")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        for each in (self._replies, self._messages, self._socket, self._monitor):
            each.close()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def qmp(self, command: str, **arguments: Any) -> Any:
        """Execute a QMP command and return what it returns."""
        request = {"execute": command, "arguments": arguments}
        self._monitor.sendall(json.dumps(request).encode())
        while True:
            message = json.loads(self._messages.readline())
            if "return" in message or "error" in message:
                assert "return" in message, message
                return message["return"]

    def seconds_each(self, commands: list[str], rounds: int = 20) -> float:
        """Return the time of one command, sent in blocks so that round trips do not count."""
        block = "".join(f"{line}\n" for line in commands).encode()
        best = float("inf")
        for _ in range(rounds):
            start = time.perf_counter()
            self._socket.sendall(block)
            for _ in commands:
                self._replies.readline()
            best = min(best, time.perf_counter() - start)
        return best / len(commands)
