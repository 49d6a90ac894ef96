"""A stock Linux in a real QEMU has memory plugged into it by our commands; it uses it, or not."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from guestmap.base import MIB
from tests.support.linux_guest import LinuxGuest, linux

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.peers, pytest.mark.qemu, pytest.mark.timeout(300)]

POLICY = "/sys/devices/system/memory/auto_online_blocks"
SIZE = 256 * MIB


@pytest.fixture
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LinuxGuest]:
    with linux(tmp_path_factory.mktemp("vm"), "-m", "512M,slots=4,maxmem=4G") as guest:
        yield guest


def guestmap(command: str, guest: LinuxGuest, *args: str) -> tuple[int, dict[str, object], str]:
    """Run a command on the guest: its status, its report, and all that it wrote."""
    words = [sys.executable, "-m", "guestmap", command, f"unix:{guest.qmp}", *args, "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, json.loads(done.stdout or "{}"), done.stdout + done.stderr


def test_memory_that_is_plugged_is_online_and_can_be_had_back(guest: LinuxGuest) -> None:
    before = guest.memory
    guest.run(f"echo online_movable > {POLICY}")
    status, _, said = guestmap("plug", guest, "256M", "--id", "dimm0", "--agent", str(guest.agent))
    assert status == 0, said
    assert guest.memory == before + SIZE
    status, _, said = guestmap("unplug", guest, "dimm0")
    assert status == 0, said
    assert guest.memory == before


def test_a_guest_that_leaves_it_offline_is_told_from_one_that_uses_it(guest: LinuxGuest) -> None:
    before = guest.memory
    guest.run(f"echo offline > {POLICY}")
    status, _, said = guestmap("plug", guest, "256M", "--agent", str(guest.agent))
    assert status == 11, said
    assert guest.memory == before


def test_without_an_agent_it_is_not_known_whether_it_is_used(guest: LinuxGuest) -> None:
    status, _, said = guestmap("plug", guest, "256M")
    assert status == 10, said


def test_after_an_odd_dimm_the_next_one_goes_where_the_guest_can_use_it(
    guest: LinuxGuest,
) -> None:
    before = guest.memory
    guest.run(f"echo online_movable > {POLICY}")
    status, _, said = guestmap("plug", guest, "100M")
    assert status == 3, said
    status, _, said = guestmap("plug", guest, "100M", "--force")
    assert guest.memory == before, said
    status, _, said = guestmap("plug", guest, "256M", "--agent", str(guest.agent))
    assert status == 0, said
    assert guest.memory == before + SIZE


def test_memory_that_the_kernel_sits_in_is_not_given_back(guest: LinuxGuest) -> None:
    guest.run(f"echo online_kernel > {POLICY}")
    status, _, said = guestmap("plug", guest, "128M", "--id", "dimm0", "--agent", str(guest.agent))
    assert status == 0, said
    # Inodes are the kernel's own, and come from the highest zone first: from the new memory.
    guest.run("mkdir /tmp/i; mount -t tmpfs -o nr_inodes=0 t /tmp/i; cd /tmp/i")
    guest.run("seq 1 4000 | xargs touch; cd /")
    status, _, said = guestmap("unplug", guest, "dimm0", "--timeout", "60")
    assert status == 5, said


VIRTIO_MEM = (
    "virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci",
    "virtio_mem",
)  # fmt: skip


def test_virtio_mem_is_plugged_grown_and_shrunk_as_requested(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("vm")
    with linux(folder, "-m", "512M,slots=1,maxmem=4G", modules=VIRTIO_MEM) as guest:
        before = guest.memory
        guest.run(f"echo online_movable > {POLICY}")
        words = ("--kind", "virtio-mem", "--requested", "256M", "--timeout", "60")
        status, form, said = guestmap("plug", guest, "1G", *words)
        assert (status, form["outcome"]) == (0, "resized"), said
        assert guest.memory == before + SIZE
        status, _, said = guestmap("resize", guest, "virtiomem0", "512M", "--timeout", "60")
        assert status == 0, said
        assert guest.memory == before + 2 * SIZE
        status, _, said = guestmap("resize", guest, "virtiomem0", "0", "--timeout", "60")
        assert status == 0, said
        assert guest.memory == before
