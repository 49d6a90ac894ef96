"""Two machines that are asked the same: ours behind its QMP server, and a real QEMU.

No guest runs: the test plays it through the ports, over qtest in QEMU's case.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from guestmap.machine import VirtualMachine, config_of
from guestmap.monitor import MonitorServer
from tests.support.qemu import MACHINE, Qemu
from tests.support.qmp_socket import QmpSocket

if TYPE_CHECKING:
    from types import TracebackType

NO_VAPIC = ("-global", "apic-common.vapic=off")
Message = dict[str, Any]


class OurSide:
    """Our machine; its monitor is spoken to over a socket, as any tool would."""

    def __init__(self, folder: Path, *args: str) -> None:
        command_line = [*MACHINE, *NO_VAPIC, *args]
        self.vm = VirtualMachine(config_of(command_line), engine="none")
        path = folder / "qmp.sock"
        self._server = MonitorServer(self.vm, [f"unix:{path}"])
        self._server.start()
        self.vm.start(paused=True)
        self._client = QmpSocket(*self._server.addresses)

    def request(self, message: Message) -> Message:
        self._client.send(json.dumps(message).encode() + b"\n")
        return self._client.reply()

    def events(self) -> list[Message]:
        self.request({"execute": "query-status"})  # what happened before it is told before it
        seen, self._client.events = self._client.events, []
        return [_timeless(event) for event in seen]

    def out(self, port: int, value: int, size: int) -> None:
        with self.vm.exclusive():
            self.vm.board.io.store(port, size, value)

    def read(self, port: int, size: int) -> int:
        with self.vm.exclusive():
            return self.vm.board.io.load(port, size)

    def close(self) -> None:
        self._client.close()
        self._server.close()
        self.vm.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class QemuSide(Qemu):
    """QEMU 7.2."""

    def out(self, port: int, value: int, size: int) -> None:
        {1: self.outb, 2: self.outw, 4: self.outl}[size](port, value)

    def read(self, port: int, size: int) -> int:
        return {1: self.inb, 2: self.inw, 4: self.inl}[size](port)

    def take_events(self) -> list[Message]:
        self.qmp("query-status")
        seen, self.events = self.events, []
        return [_timeless(event) for event in seen]


def events_of(side: OurSide | QemuSide) -> list[Message]:
    """Return the events since the last call, without their times."""
    return side.events() if isinstance(side, OurSide) else side.take_events()


def _timeless(event: Message) -> Message:
    return {key: value for key, value in event.items() if key != "timestamp"}


# -- what is the same in any order, and what can be compared ---------------------------------------


def settled(value: Any) -> Any:
    """Return an answer with the lists that QEMU keeps in hash tables sorted."""
    if isinstance(value, dict):
        return {key: settled(each) for key, each in sorted(value.items())}
    if isinstance(value, list) and all(isinstance(each, dict) for each in value):
        return sorted((settled(each) for each in value), key=lambda each: json.dumps(each))
    return value


def hmp(side: OurSide | QemuSide, line: str) -> str:
    """Return the text of a human monitor command."""
    answer = side.request({"execute": "human-monitor-command", "arguments": {"command-line": line}})
    text: str = answer["return"]
    return text.replace("\r\n", "\n")


def guest_view(side: OurSide | QemuSide) -> list[str]:
    """Return the lines of the CPU's flat view."""
    block = next(
        block for block in hmp(side, "info mtree -f").split("\n\n") if '"cpu-memory-0"' in block
    )
    return re.findall(r"^  [0-9a-f]{16}-.*$", block, re.MULTILINE)


def tree_of_pluggable(side: OurSide | QemuSide) -> list[str]:
    """Return the lines of device memory and what is in it."""
    lines = hmp(side, "info mtree").splitlines()
    start = next((n for n, line in enumerate(lines) if line.endswith("device-memory")), None)
    if start is None:
        return []
    depth = len(lines[start]) - len(lines[start].lstrip())
    inside = []
    for line in lines[start + 1 :]:
        if len(line) - len(line.lstrip()) <= depth:
            break
        inside.append(line)
    return [lines[start], *inside]
