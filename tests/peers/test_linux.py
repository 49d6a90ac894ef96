"""A stock Linux in a real QEMU has memory plugged into it by our commands, and uses it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.linux_guest import LinuxGuest, linux

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.peers, pytest.mark.qemu, pytest.mark.timeout(300)]

MIB = 1 << 20
POLICY = "/sys/devices/system/memory/auto_online_blocks"


@pytest.fixture
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LinuxGuest]:
    with linux(tmp_path_factory.mktemp("vm"), "-m", "512M,slots=4,maxmem=4G") as guest:
        yield guest


def guestmap(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "guestmap", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_memory_that_is_plugged_is_used_and_given_back(guest: LinuxGuest) -> None:
    before = guest.memory
    guest.run(f"echo online_movable > {POLICY}")
    plugged = guestmap("plug", f"unix:{guest.qmp}", "256M", "--id", "dimm0")
    assert plugged.returncode == 0, plugged.stdout + plugged.stderr
    assert guest.memory == before + 256 * MIB
    unplugged = guestmap("unplug", f"unix:{guest.qmp}", "dimm0")
    assert unplugged.returncode == 0, unplugged.stdout + unplugged.stderr
    assert guest.memory == before
