"""A stock Linux on our own engine gives memory back by its balloon, takes it again, and tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.peers.test_linux_pci import Monitor
from tests.support.linux_guest import LinuxGuest, linux_on_our_engine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.peers, pytest.mark.unicorn, pytest.mark.seabios, pytest.mark.timeout(300)
]  # fmt: skip

MODULES = (
    "virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
    "virtio_balloon",
)  # fmt: skip
MIB = 1 << 20
_BALLOON = "/machine/peripheral/b0"


def test_linux_gives_memory_and_takes_it_again(tmp_path: Path) -> None:
    device = ("--device", "virtio-balloon-pci,id=b0")
    with linux_on_our_engine(tmp_path, "-m", "256M", *device, modules=MODULES) as guest:
        monitor = Monitor(guest.qmp)
        try:
            whole = guest.memory
            monitor.ask("balloon", value=128 * MIB)
            _until(guest, monitor, 128 * MIB)
            assert whole - guest.memory == 128 * MIB
            monitor.ask("balloon", value=1 << 40)  # all that there is
            _until(guest, monitor, 256 * MIB)
            assert guest.memory == whole
            monitor.ask("qom-set", path=_BALLOON, property="guest-stats-polling-interval", value=1)
            for _ in range(100):
                told = monitor.ask("qom-get", path=_BALLOON, property="guest-stats")
                if told["last-update"]:
                    break
                guest.run("sleep 0.2")
            assert told["stats"]["stat-total-memory"] == whole
        finally:
            monitor.close()
        told = [each["data"] for each in monitor.events if each["event"] == "BALLOON_CHANGE"]
        assert told  # one a second, at most
        assert all(128 * MIB <= each["actual"] <= 256 * MIB for each in told)


def _until(guest: LinuxGuest, monitor: Monitor, amount: int) -> None:
    for _ in range(200):
        if monitor.ask("query-balloon") == {"actual": amount}:
            return
        guest.run("sleep 0.1")
    assert monitor.ask("query-balloon") == {"actual": amount}
