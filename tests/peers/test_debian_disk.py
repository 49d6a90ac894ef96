"""A whole Debian with its stock kernel boots from a disk on our own engine, and is lived with."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from guestmap.monitor import UnixAddress
from tests.support.linux_guest import debian_on_our_engine
from tests.support.qmp_socket import QmpSocket

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.peers,
    pytest.mark.long,
    pytest.mark.unicorn,
    pytest.mark.seabios,
    pytest.mark.timeout(1500),
]

_DEADLINE_S = 120
_PLUGGED = 256 << 20


def _until(qmp: QmpSocket, state: str) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while (status := qmp.ask("query-status")["status"]) != state:
        assert time.monotonic() < deadline, status
        time.sleep(0.1)


def test_debian_logs_in_takes_a_dimm_sleeps_wakes_and_switches_off(tmp_path: Path) -> None:
    with (
        debian_on_our_engine(tmp_path, "-m", "512M,slots=2,maxmem=2G") as guest,
        QmpSocket(UnixAddress(str(guest.qmp))) as qmp,
    ):
        assert guest.run("cat /etc/debian_version").startswith("12.")
        assert guest.run("findmnt -no SOURCE,FSTYPE /").split() == ["/dev/sda", "ext4"]
        assert "ata_piix" in guest.run("cat /proc/modules"), "the initial RAM disk found its disk"
        before = guest.memory
        guest.run("echo online > /sys/devices/system/memory/auto_online_blocks")
        qmp.ask("object-add", qom_type="memory-backend-ram", id="more", size=_PLUGGED)
        qmp.ask("device_add", driver="pc-dimm", id="dimm0", memdev="more")
        guest.until("grep MemTotal /proc/meminfo", f" {(before + _PLUGGED) >> 10} kB")
        guest.run("sha256sum /boot/vmlinuz-* > /root/before")
        guest.begin("echo mem > /sys/power/state")
        _until(qmp, "suspended")
        qmp.ask("system_wakeup")
        guest.end()
        assert "PM: suspend exit" in guest.run("dmesg")
        guest.run("echo 3 > /proc/sys/vm/drop_caches; sha256sum -c /root/before")
        assert guest.memory == before + _PLUGGED
        assert "I/O error" not in guest.run("dmesg")
        guest.begin("poweroff")
        assert guest.process.wait(_DEADLINE_S) == 0
