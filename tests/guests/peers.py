"""The hot-plug guest on a machine: on QEMU's, or on ours.

A peer boots the guest, takes a few QMP commands, and tells the events, so that one test can be run
on both.
"""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from guestmap.machine import VirtualMachine, config_of
from guestmap.monitor import MonitorServer
from guestmap.testing.guests import SerialConsole, hotplug_guest
from tests.support.qemu import MACHINE, Qemu

if TYPE_CHECKING:
    from guestmap.machine import MachineEvent

NOT_OF_INTEREST = {"RESUME", "STOP", "RESET", "POWERDOWN", "NIC_RX_FILTER_CHANGED"}
"""Events that tell nothing about memory."""

_TIMEOUT_S = 60
_NO_VAPIC = ("-global", "apic-common.vapic=off")


class Peer(Protocol):
    """A machine with the guest on it; a context manager."""

    console: SerialConsole

    def qmp(self, command: str, **arguments: Any) -> Any:
        """Execute a command; ``_`` in an argument's name means ``-``."""

    def next_event(self) -> tuple[str, dict[str, Any]]:
        """Return the next event about memory, or the end, waiting for it."""

    def run(self) -> None:
        """Let a machine that was made paused run."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_error: object) -> None: ...


class QemuPeer(Qemu):
    """The guest on a real QEMU."""

    def __init__(self, *args: str, paused: bool = False) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="guestmap-"))  # short enough for a socket
        rom, path = self._folder / "guest.rom", self._folder / "serial"
        rom.write_bytes(hotplug_guest())
        super().__init__(
            *args, "-option-rom", str(rom),
            "-chardev", f"socket,id=serial,path={path},server=on,wait=off",
            "-serial", "chardev:serial",
        )  # fmt: skip
        self._path = path
        self._paused = paused

    def start(self) -> Self:
        """Start QEMU, connect the console, and let the guest run."""
        super().start()
        wire = socket.socket(socket.AF_UNIX)
        wire.connect(str(self._path))
        self.console = SerialConsole.over_socket(wire)
        if not self._paused:
            self.run()
        return self

    def run(self) -> None:
        """Let it run."""
        self.qmp("cont")

    def next_event(self) -> tuple[str, dict[str, Any]]:
        """Return the next event about memory."""
        while True:
            event = self.events.pop(0) if self.events else self._receive()
            if event["event"] not in NOT_OF_INTEREST:
                return event["event"], event.get("data", {})

    def close(self) -> None:
        """End QEMU and the console."""
        if hasattr(self, "console"):
            self.console.close()
        super().close()
        shutil.rmtree(self._folder)


class OurPeer:
    """The guest on our machine, which is managed through our monitor."""

    def __init__(self, *args: str, paused: bool = False) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="guestmap-"))
        rom, path = self._folder / "guest.rom", self._folder / "monitor"
        rom.write_bytes(hotplug_guest())
        words = [*MACHINE, *_NO_VAPIC, *args, "-option-rom", str(rom)]
        self.vm = VirtualMachine(replace(config_of(words), serial=True))
        serial = self.vm.board.isa.serial
        assert serial is not None
        self.console = SerialConsole.on_port(serial, self.vm.exclusive)
        self.vm.events.subscribe(self._heard)
        self._monitor = MonitorServer(self.vm, [f"unix:{path}"])
        self._path = path
        self._paused = paused
        self._events: deque[dict[str, Any]] = deque()

    def __enter__(self) -> Self:
        self._monitor.start()
        self._wire = socket.socket(socket.AF_UNIX)
        self._wire.settimeout(_TIMEOUT_S)
        self._wire.connect(str(self._path))
        self._file = self._wire.makefile("r")
        self._file.readline()  # the greeting
        self.qmp("qmp_capabilities")
        self.vm.start(paused=self._paused)
        return self

    def __exit__(self, *_error: object) -> None:
        self.console.close()
        self._file.close()
        self._wire.close()
        self._monitor.close()
        self.vm.close()
        shutil.rmtree(self._folder)

    def _heard(self, event: MachineEvent) -> None:
        if event.name == "SHUTDOWN":
            self.console.end("the machine ended")

    def run(self) -> None:
        """Let it run."""
        self.qmp("cont")

    def qmp(self, command: str, **arguments: Any) -> Any:
        """Execute a command."""
        names = {name.replace("_", "-"): value for name, value in arguments.items()}
        request = {"execute": command, "arguments": names}
        self._wire.sendall(json.dumps(request).encode() + b"\n")
        while True:
            message = self._receive()
            if "event" in message:
                self._events.append(message)
            elif "error" in message:
                raise RuntimeError(f"QMP {command}: {message['error']['desc']}")
            else:
                return message["return"]

    def next_event(self) -> tuple[str, dict[str, Any]]:
        """Return the next event about memory."""
        while True:
            event = self._events.popleft() if self._events else self._receive()
            if event["event"] not in NOT_OF_INTEREST:
                return event["event"], event.get("data", {})

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._file.readline())
        return message
