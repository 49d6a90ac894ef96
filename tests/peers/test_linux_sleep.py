"""A stock 64-bit Linux on our own engine sleeps in RAM, is woken, and hears of its power button."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from guestmap.monitor import UnixAddress
from tests.support.linux_guest import linux_on_our_engine
from tests.support.qmp_socket import QmpSocket

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.peers, pytest.mark.unicorn, pytest.mark.seabios, pytest.mark.timeout(400)
]  # fmt: skip

_DEADLINE_S = 60
_PRESSED = "/sys/firmware/acpi/interrupts/ff_pwr_btn"


def _until(qmp: QmpSocket, state: str) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while (status := qmp.ask("query-status")["status"]) != state:
        assert time.monotonic() < deadline, status
        time.sleep(0.1)


def test_it_sleeps_wakes_and_is_switched_off(tmp_path: Path) -> None:
    with (
        linux_on_our_engine(tmp_path, "-m", "256M", modules=("button", "evdev")) as guest,
        QmpSocket(UnixAddress(str(guest.qmp))) as qmp,
    ):
        guest.run("echo kept > /tmp/note")
        guest.begin("echo mem > /sys/power/state")
        _until(qmp, "suspended")
        qmp.ask("system_wakeup")
        guest.end()  # not before does its serial port listen again
        assert guest.run("cat /tmp/note") == "kept\n"
        assert "PM: suspend exit" in guest.run("dmesg")
        before = int(guest.run(f"cat {_PRESSED}").split()[0])
        qmp.ask("system_powerdown")
        guest.until(f"cat {_PRESSED}", f" {before + 1} ")
        guest.begin("poweroff -f")
        assert guest.process.wait(_DEADLINE_S) == 0
