"""A real QEMU, stopped at reset, to be asked over qtest and QMP.

``-accel tcg -S -qtest`` answers every port and memory access of the qtest protocol
(QEMU, docs/devel/testing/qtest.rst) while no guest instruction runs, so a test can compare one
register of ours with the same register of QEMU's::

    with Qemu("-m", "128M") as qemu:
        assert qemu.inl(0xCFC) == 0x12378086

Both channels are socket pairs that QEMU inherits: no path to clash, nothing to wait for.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from typing import TYPE_CHECKING, Any, Self

from guestmap.base import ConfigError
from guestmap.firmware import find_bios
from tests.support.needs import skip_without
from tests.support.processes import popen
from tests.support.qemu_program import find_qemu, missing_qemu

if TYPE_CHECKING:
    from types import TracebackType

MACHINE = ("-M", "pc-i440fx-7.2,smm=off", "-nodefaults", "-vga", "none")
"""The machine that guestmap models."""

_NO_VAPIC = ("-global", "apic-common.vapic=off")


def require_qemu(arch: str = "x86_64") -> str:
    """Return the path of the QEMU to ask; skip the test where there is none.

    ``GUESTMAP_REQUIRE=qemu`` (a comma-separated list) turns the skip into a failure.
    """
    program = find_qemu(arch)
    if program is None:
        skip_without("qemu", missing_qemu())
    return program.path


def _firmware() -> list[str]:
    """Have QEMU take its firmware where ours is from: both sides run the same."""
    with contextlib.suppress(ConfigError):
        return ["-L", str(find_bios(None).parent)]
    return []


class Qemu:
    """One QEMU process, as a context manager; CPU stopped unless ``stopped`` is false.

    Args:
        args: the command line after ``-display none -accel tcg``.
        stopped: give ``-S``, so that no guest instruction runs until ``cont``.
        machine: prepend :data:`MACHINE` (pc-i440fx-7.2, SMM off, no default devices).
        vapic: keep the kvmvapic device (QEMU's default); guestmap's machine has none.
        arch: whose program it is.
    """

    def __init__(
        self,
        *args: str,
        stopped: bool = True,
        machine: bool = True,
        vapic: bool = False,
        arch: str = "x86_64",
    ) -> None:
        command = [require_qemu(arch), "-display", "none", "-accel", "tcg", *_firmware()]
        command += [*MACHINE] if machine else []
        command += [] if vapic else [*_NO_VAPIC]
        command += ["-S"] if stopped else []
        self.command = [*command, *args]
        self.stderr = ""
        self.events: list[dict[str, Any]] = []
        self.irqs: list[str] = []

    def start(self) -> Self:
        """Start the process and shake hands with its monitor."""
        qtest, qtest_peer = socket.socketpair()
        qmp, qmp_peer = socket.socketpair()
        command = [*self.command]
        command += ["-chardev", f"socket,id=qtest,fd={qtest_peer.fileno()}"]
        command += ["-qtest", "chardev:qtest", "-qtest-log", "none"]
        command += ["-chardev", f"socket,id=qmp,fd={qmp_peer.fileno()}"]
        command += ["-mon", "chardev=qmp,mode=control"]
        self._process = popen(
            command,
            pass_fds=(qtest_peer.fileno(), qmp_peer.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        qtest_peer.close()
        qmp_peer.close()
        self._qtest, self._qmp = qtest, qmp
        self._qtest_file = qtest.makefile("r")
        self._qmp_file = qmp.makefile("r")
        try:
            self._receive()  # the greeting
            self.qmp("qmp_capabilities")
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """End the process (by its own handle) and close both channels."""
        for channel in (self._qtest_file, self._qmp_file, self._qtest, self._qmp):
            channel.close()
        self._process.kill()
        self.stderr = self._process.communicate()[1]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # qtest

    def qtest(self, command: str) -> str:
        """Send one qtest line and return what follows ``OK`` in the reply ("" where nothing does).

        ``IRQ raise N`` lines that come first are appended to ``irqs``.
        """
        self._qtest.sendall(command.encode() + b"\n")
        while True:
            reply = self._qtest_file.readline()
            if not reply:
                raise RuntimeError(f"QEMU ended at qtest command {command!r}: {self._why()}")
            if reply.startswith("IRQ "):
                self.irqs.append(reply[4:].strip())
                continue
            word, _, rest = reply.strip().partition(" ")
            if word != "OK":
                raise RuntimeError(f"qtest command {command!r}: {reply.strip()}")
            return rest

    def qtest_many(self, commands: list[str]) -> list[str]:
        """Send many qtest lines and return their replies; one round trip per thousand."""
        replies: list[str] = []
        for first in range(0, len(commands), 1000):
            block = commands[first : first + 1000]
            self._qtest.sendall("".join(f"{line}\n" for line in block).encode())
            for line in block:
                reply = self._qtest_file.readline().strip()
                while reply.startswith("IRQ "):
                    self.irqs.append(reply[4:])
                    reply = self._qtest_file.readline().strip()
                if not reply.startswith("OK"):
                    raise RuntimeError(f"qtest command {line!r}: {reply!r} {self._why()}")
                replies.append(reply[3:])
        return replies

    def _number(self, command: str) -> int:
        return int(self.qtest(command), 16)

    def inb(self, port: int) -> int:
        """Read a byte from an I/O port."""
        return self._number(f"inb {port:#x}")

    def inw(self, port: int) -> int:
        """Read two bytes from an I/O port."""
        return self._number(f"inw {port:#x}")

    def inl(self, port: int) -> int:
        """Read four bytes from an I/O port."""
        return self._number(f"inl {port:#x}")

    def outb(self, port: int, value: int) -> None:
        """Write a byte to an I/O port."""
        self.qtest(f"outb {port:#x} {value:#x}")

    def outw(self, port: int, value: int) -> None:
        """Write two bytes to an I/O port."""
        self.qtest(f"outw {port:#x} {value:#x}")

    def outl(self, port: int, value: int) -> None:
        """Write four bytes to an I/O port."""
        self.qtest(f"outl {port:#x} {value:#x}")

    def load(self, address: int, size: int) -> int:
        """Read 1, 2, 4 or 8 bytes of guest-physical memory as one access."""
        return self._number(f"read{_LETTER[size]} {address:#x}")

    def store(self, address: int, size: int, value: int) -> None:
        """Write 1, 2, 4 or 8 bytes of guest-physical memory as one access."""
        self.qtest(f"write{_LETTER[size]} {address:#x} {value:#x}")

    def read(self, address: int, length: int) -> bytes:
        """Read guest-physical memory."""
        return bytes.fromhex(self.qtest(f"read {address:#x} {length:#x}")[2:])

    def write(self, address: int, data: bytes) -> None:
        """Write guest-physical memory."""
        self.qtest(f"write {address:#x} {len(data):#x} 0x{data.hex()}")

    # QMP

    def qmp(self, command: str, **arguments: Any) -> Any:
        """Execute a QMP command and return its ``return``; ``_`` in an argument's name means ``-``.

        Events that arrive meanwhile are appended to ``events``.
        """
        names = {name.replace("_", "-"): value for name, value in arguments.items()}
        message = self.request({"execute": command, "arguments": names})
        if "error" in message:
            raise RuntimeError(f"QMP {command}: {message['error']['desc']}")
        return message["return"]

    def request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a QMP request as it is and return the whole answer; events go to ``events``."""
        return self.requests([request])[0]

    def requests(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Send requests all at once, and return the whole answers in their order."""
        try:
            self._qmp.sendall(b"".join(json.dumps(each).encode() + b"\n" for each in requests))
        except OSError:
            raise RuntimeError(f"QEMU ended before {requests}: {self._why()}") from None
        return [self._answer() for _ in requests]

    def _answer(self) -> dict[str, Any]:
        while "event" in (message := self._receive()):
            self.events.append(message)
        return message

    def wait_event(self, name: str) -> dict[str, Any]:
        """Return the next event of that name, waiting for it where it has not come yet."""
        for index, event in enumerate(self.events):
            if event["event"] == name:
                return self.events.pop(index)
        while (message := self._receive()).get("event") != name:
            self.events.append(message)
        return message

    def hmp(self, line: str) -> str:
        """Execute a human monitor command and return its text, with plain newlines."""
        text: str = self.qmp("human-monitor-command", command_line=line)
        return text.replace("\r\n", "\n")

    def _receive(self) -> dict[str, Any]:
        try:
            line = self._qmp_file.readline()
        except OSError:
            line = ""
        if not line:
            raise RuntimeError(f"QEMU ended: {self._why()}")
        message: dict[str, Any] = json.loads(line)
        return message

    def _why(self) -> str:
        self._process.kill()
        return (self._process.stderr.read() if self._process.stderr else "").strip()


_LETTER = {1: "b", 2: "w", 4: "l", 8: "q"}
