"""A stock Linux on our own engine takes a PCI function that comes, and lets it go."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.linux_guest import linux_on_our_engine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.peers, pytest.mark.unicorn, pytest.mark.seabios, pytest.mark.timeout(300)
]  # fmt: skip

FUNCTION = "0000:00:02.0"


class Monitor:
    """A QMP client that keeps the events."""

    def __init__(self, path: Path) -> None:
        self._wire = socket.socket(socket.AF_UNIX)
        self._wire.settimeout(60)
        self._wire.connect(str(path))
        self._file = self._wire.makefile("rw")
        self.events: list[dict[str, Any]] = []
        self._file.readline()
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: Any) -> Any:
        self._file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._file.flush()
        while "event" in (message := json.loads(self._file.readline())):
            self.events.append(message)
        return message["return"]

    def await_event(self, name: str) -> None:
        """Read until an event comes; one that has come already will do."""
        while not any(each["event"] == name for each in self.events):
            message = json.loads(self._file.readline())
            assert "event" in message, message
            self.events.append(message)

    def close(self) -> None:
        self._file.close()
        self._wire.close()


def test_linux_gives_a_function_addresses_and_ejects_it(tmp_path: Path) -> None:
    with linux_on_our_engine(tmp_path, "-m", "256M") as guest:
        monitor = Monitor(guest.qmp)
        try:
            monitor.ask("device_add", driver="pci-testdev", id="t0", membar="64K")
            guest.until("ls /sys/bus/pci/devices", FUNCTION)
            guest.until("cat /proc/iomem", f": {FUNCTION}")
            monitor.ask("device_del", id="t0")
            guest.until(f"test -e /sys/bus/pci/devices/{FUNCTION} || echo gone", "gone")
            monitor.await_event("DEVICE_DELETED")  # its eject comes behind what sysfs shows
            monitor.ask("query-status")
        finally:
            monitor.close()
        deleted = [each["data"] for each in monitor.events if each["event"] == "DEVICE_DELETED"]
        assert deleted == [{"device": "t0", "path": "/machine/peripheral/t0"}]
