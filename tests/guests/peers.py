"""The hot-plug guest on a machine: on QEMU's, or on ours.

A peer boots the guest, takes a few QMP commands, and tells the events, so that one test can be run
on both.
"""

from __future__ import annotations

import queue
import shutil
import socket
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import pytest

from guestmap.machine import VirtualMachine, config_of
from guestmap.testing.guests import SerialConsole, hotplug_guest
from tests.support.qemu import MACHINE, Qemu

if TYPE_CHECKING:
    from guestmap.machine import MachineEvent

NOT_OF_INTEREST = {"RESUME", "STOP", "RESET", "POWERDOWN", "NIC_RX_FILTER_CHANGED"}
"""Events that tell nothing about memory."""

_EVENT_TIMEOUT_S = 60
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
    """The guest on our machine, in a thread of its own."""

    def __init__(self, *args: str, paused: bool = False) -> None:
        with tempfile.TemporaryDirectory(prefix="guestmap-") as folder:
            rom = Path(folder) / "guest.rom"
            rom.write_bytes(hotplug_guest())
            words = [*MACHINE, *_NO_VAPIC, *args, "-option-rom", str(rom)]
            config = replace(config_of(words), serial=True)
            self.vm = VirtualMachine(config)
        if not hasattr(self.vm.pc, "manage"):
            self.vm.close()
            pytest.skip("this machine takes no memory yet")
        serial = self.vm.pc.isa.serial
        assert serial is not None
        self.console = SerialConsole.on_port(serial, self.vm.exclusive)
        self._events: queue.Queue[MachineEvent] = queue.Queue()
        self.vm.events.subscribe(self._heard)
        self._paused = paused

    def __enter__(self) -> Self:
        self.vm.start(paused=self._paused)
        return self

    def __exit__(self, *_error: object) -> None:
        self.console.close()
        self.vm.close()

    def _heard(self, event: MachineEvent) -> None:
        self._events.put(event)
        if event.name == "SHUTDOWN":
            self.console.end("the machine ended")

    def run(self) -> None:
        """Let it run."""
        self.vm.cont()

    def qmp(self, command: str, **arguments: Any) -> Any:
        """Execute a command, without a monitor."""
        names = {name.replace("_", "-"): value for name, value in arguments.items()}
        with self.vm.exclusive():
            return self._execute(command, names)

    def _execute(self, command: str, names: dict[str, Any]) -> Any:
        manage = self.vm.pc.manage
        match command:
            case "object-add":
                return manage.object_add(names.pop("qom-type"), names.pop("id"), names)
            case "object-del":
                return manage.object_del(names["id"])
            case "device_add":
                return manage.device_add(names.pop("driver"), names.pop("id"), names)
            case "device_del":
                return manage.device_del(names["id"])
            case "query-memory-devices":
                return manage.memory_devices()
            case "query-acpi-ospm-status":
                return manage.acpi_ospm_status()
            case "system_powerdown":
                return self.vm.powerdown()
        raise AssertionError(command)

    def next_event(self) -> tuple[str, dict[str, Any]]:
        """Return the next event about memory."""
        while True:
            event = self._events.get(timeout=_EVENT_TIMEOUT_S)
            if event.name not in NOT_OF_INTEREST:
                return event.name, dict(event.data or {})
