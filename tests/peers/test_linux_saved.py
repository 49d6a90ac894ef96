"""A stock 64-bit Linux that is saved in its shell goes on: in the same process, and in another."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestmap.monitor import UnixAddress
from tests.support.linux_guest import LinuxGuest, linux_on_our_engine, restored_on_our_engine
from tests.support.qmp_socket import QmpSocket

pytestmark = [
    pytest.mark.peers, pytest.mark.unicorn, pytest.mark.seabios, pytest.mark.timeout(300)
]  # fmt: skip


def human(guest: LinuxGuest, line: str) -> str:
    with QmpSocket(UnixAddress(str(guest.qmp))) as client:
        return str(client.ask("human-monitor-command", **{"command-line": line}))


def test_a_linux_goes_on_where_it_was_saved(tmp_path: Path) -> None:
    first, second, snapshots = (tmp_path / name for name in ("first", "second", "snapshots"))
    for folder in (first, second):
        folder.mkdir()
    more = ("-m", "256M", "--snapshots", str(snapshots))
    with linux_on_our_engine(first, *more) as guest:
        guest.run("mount -t tmpfs tmpfs /tmp; yes 0123456789abcde | head -c 20m > /tmp/data")
        checksum = guest.run("sha256sum /tmp/data")
        guest.run("COUNT=41; sleep 1000 & true")
        assert human(guest, "savevm shell") == ""
        up_s = float(guest.run("cat /proc/uptime").split()[0])
        guest.run("COUNT=7; rm /tmp/data")
        assert human(guest, "loadvm shell") == ""
        assert guest.run("sha256sum /tmp/data") == checksum
        assert guest.run("echo $COUNT") == "41\n"
        guest.run("rm /tmp/data")
        assert human(guest, "info status") == "VM status: running\r\n"
    with restored_on_our_engine(second, snapshots / "shell.guestmap") as guest:
        assert guest.run("echo $((COUNT + 1))") == "42\n"
        assert guest.run("sha256sum /tmp/data") == checksum
        assert "sleep 1000" in guest.run("ps")
        assert float(guest.run("cat /proc/uptime").split()[0]) < up_s + 60
        guest.run("sleep 0.1")  # timers come
        assert guest.run("echo 1.5 2.25 | awk '{ print $1 * $2 }'") == "3.375\n"  # floating point
        assert "online" not in guest.run("dmesg | grep -i 'call trace' || true")
