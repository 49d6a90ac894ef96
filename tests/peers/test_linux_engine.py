"""A stock 64-bit Linux on our own engine: it reaches its shell, and uses memory plugged into it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from guestmap.base import GIB, MIB
from guestmap.monitor import UnixAddress
from tests.support.linux_guest import LinuxGuest, linux_on_our_engine
from tests.support.qmp_socket import QmpSocket
from tests.support.small_program import PATTERN, SAID, filler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.peers, pytest.mark.unicorn, pytest.mark.seabios, pytest.mark.timeout(600)
]  # fmt: skip

POLICY = "/sys/devices/system/memory/auto_online_blocks"
DIMM, SIZE = 4 * GIB, 256 * MIB
FILLED = 440 * MIB
"""More than is free before, and less than after."""
MACHINE = ("-m", "512M,slots=4,maxmem=4G")
ENDED, REFUSED, UNKNOWN = 0, 5, 10
"""Statuses of plug and unplug; without an agent it is not known who uses the memory."""


@pytest.fixture
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LinuxGuest]:
    with linux_on_our_engine(tmp_path_factory.mktemp("vm"), *MACHINE) as guest:
        yield guest


def guestmap(command: str, guest: LinuxGuest, *args: str) -> tuple[int, str]:
    """Run a command on the guest: its status, and all that it wrote."""
    words = [sys.executable, "-m", "guestmap", command, f"unix:{guest.qmp}", *args]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def plug_and_see(guest: LinuxGuest) -> None:
    before = guest.memory
    guest.run(f"echo online > {POLICY}")
    status, said = guestmap("plug", guest, "256M", "--id", "dimm0")
    assert status in {ENDED, UNKNOWN}, said
    guest.until("grep MemTotal /proc/meminfo", f" {before + SIZE >> 10} kB")


def test_a_dimm_is_plugged_and_its_memory_holds_what_is_written(tmp_path: Path) -> None:
    """A program fills more memory than there was before, and reads it; the DIMM holds its words."""
    fill = filler(FILLED)
    with linux_on_our_engine(tmp_path, *MACHINE, programs={"bin/fill": fill}) as guest:
        plug_and_see(guest)
        guest.run("fill > /tmp/said &")
        guest.until("cat /tmp/said", SAID)
        with QmpSocket(UnixAddress(str(guest.qmp))) as qmp:
            words = [
                qmp.ask("human-monitor-command", **{"command-line": f"xp /1gx {at:#x}"})
                for at in range(DIMM, DIMM + SIZE, 2 * MIB)
            ]
    found = [int(each.split(":")[1], 16) for each in words]
    numbers = {each - PATTERN for each in found if 0 <= each - PATTERN < len(range(0, FILLED, 8))}
    assert len(numbers) > len(words) * 9 // 10  # a page's own words, each page another's
    assert all(number % 512 == 0 for number in numbers)


def test_the_guest_sees_the_map_that_we_show(guest: LinuxGuest) -> None:
    plug_and_see(guest)
    status, said = guestmap("flat", guest, "--json")
    assert status == ENDED, said
    ram = {
        (row["start"], row["start"] + row["size"] - 1)
        for row in json.loads(said)["views"][0]["ranges"]
        if row["type"] == "ram"
    }
    seen = guest.run("grep 'System RAM' /proc/iomem").splitlines()
    for line in seen:
        first, last = (int(n, 16) for n in line.split(":")[0].split("-"))
        assert any(low <= first and last <= high for low, high in ram), (line, ram)
    assert any(line.startswith("100000000-10fffffff") for line in seen)


def test_movable_memory_is_given_back(guest: LinuxGuest) -> None:
    before = guest.memory
    guest.run(f"echo online_movable > {POLICY}")
    status, said = guestmap("plug", guest, "256M", "--id", "movable")
    assert status in {ENDED, UNKNOWN}, said
    guest.until("grep MemTotal /proc/meminfo", f" {before + SIZE >> 10} kB")
    status, said = guestmap("unplug", guest, "movable")
    assert status == ENDED, said
    assert guest.memory == before


def test_memory_that_the_kernel_has_filled_is_not_given_back(guest: LinuxGuest) -> None:
    before = guest.memory
    guest.run(f"echo online_kernel > {POLICY}")
    status, said = guestmap("plug", guest, "256M", "--id", "kernels")
    assert status in {ENDED, UNKNOWN}, said
    guest.until("grep MemTotal /proc/meminfo", f" {before + SIZE >> 10} kB")
    # Names and inodes, which stay where they are; the kernel takes the highest zone first.
    guest.run("mount -t tmpfs -o nr_inodes=0 tmpfs /tmp")
    guest.run("n=0; while [ $n -lt 3000 ]; do : > /tmp/$n; n=$((n + 1)); done")
    status, said = guestmap("unplug", guest, "kernels")
    assert status == REFUSED, said
    # A few words: what the serial port says faster than it is read is lost.
    guest.run("dmesg | grep -q 'unmovable page'")
    guest.run("dmesg | grep -q 'memory memory[0-9]*: Offline failed'")
    assert guest.memory == before + SIZE
    status, said = guestmap("flat", guest)
    assert "kernels" in said


def test_the_firmwares_map_is_the_one_that_we_show(guest: LinuxGuest) -> None:
    """What the guest was told is RAM (e820), as its kernel keeps it, is RAM in the flat view."""
    listed = guest.run("cd /sys/firmware/memmap; for n in *; do cat $n/start $n/end $n/type; done")
    words = listed.split("\n")
    told = list(zip(words[::3], words[1::3], words[2::3], strict=False))
    status, said = guestmap("flat", guest, "--json")
    assert status == ENDED, said
    ranges = json.loads(said)["views"][0]["ranges"]
    ram = [(each["start"], each["start"] + each["size"] - 1) for each in ranges
           if each["type"] == "ram"]  # fmt: skip
    usable = [(int(a, 16), int(b, 16)) for a, b, kind in told if kind == "System RAM"]
    assert usable[-1][1] >= 500 * MIB
    for first, last in usable:
        assert any(low <= first and last <= high for low, high in ram), (hex(first), hex(last))
    reserved = [int(a, 16) for a, _, kind in told if kind != "System RAM"]
    rom = max(each["start"] for each in ranges if each["type"] == "rom")
    assert rom in reserved


def test_entered_in_protected_mode_it_knows_the_same_memory(tmp_path: Path) -> None:
    found = []
    for entry in ("16", "32"):
        (folder := tmp_path / entry).mkdir()
        with linux_on_our_engine(folder, *MACHINE, "--kernel-entry", entry) as guest:
            words = guest.run("cd /sys/firmware/memmap; cat */start */end */type").split()
            found.append((sorted(words), guest.run("cat /proc/cmdline")))
    assert found[0] == found[1]
    assert len(found[0][0]) > 9


@pytest.mark.long
@pytest.mark.parametrize("time", range(20))
def test_it_is_so_each_time(tmp_path: Path, time: int) -> None:
    """With the kernel somewhere else each time (KASLR)."""
    with linux_on_our_engine(tmp_path, *MACHINE) as guest:
        plug_and_see(guest)
