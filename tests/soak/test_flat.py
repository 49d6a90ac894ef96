"""Machines made and dropped, maps changed, clients that come and go: what they used comes back."""

from __future__ import annotations

import gc
import os
import random
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from guestmap.base import MIB, ManualClock
from guestmap.machine import MachineConfig, Pc
from guestmap.memory import MemoryRegion, MemorySystem
from guestmap.monitor import MonitorServer
from tests.support.fake_machine import FakeMachine
from tests.support.qmp_socket import QmpSocket

if TYPE_CHECKING:
    from collections.abc import Callable

SOAK_S = float(os.environ.get("GUESTMAP_SOAK_S", "3600"))
GROWTH = 8 * MIB
"""What the allocators of Python and C may keep, once they are warm."""

pytestmark = [pytest.mark.soak, pytest.mark.timeout(SOAK_S + 600)]


def used() -> tuple[int, int, int]:
    """Return resident bytes, open descriptors and threads of this process."""
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return (
        resident * os.sysconf("SC_PAGE_SIZE"),
        len(os.listdir("/proc/self/fd")),
        threading.active_count(),
    )


def stays_flat(round_: Callable[[], None]) -> None:
    """Do something again and again; after a tenth of the time nothing grows any more."""
    start = time.monotonic()
    while time.monotonic() < start + SOAK_S / 10:
        round_()
    resident, descriptors, threads = used()
    while time.monotonic() < start + SOAK_S:
        round_()
    after = used()
    assert after[0] <= resident + GROWTH
    assert after[1:] == (descriptors, threads)


@pytest.mark.seabios
def test_machines_come_and_go() -> None:
    def round_() -> None:
        pc = Pc(MachineConfig(ram_size=16 * MIB), ManualClock())
        for register in range(0x59, 0x60):
            pc.io.store(0xCF8, 4, 0x8000_0000 | register & ~3)
            pc.io.store(0xCFC + (register & 3), 1, 0x33)
        pc.memory.write(0xC0000, bytes(4096))
        pc.system.close()

    stays_flat(round_)


def test_maps_change_for_ever() -> None:
    memory = MemorySystem()
    root = memory.container("system", 1 << 64)
    space = memory.address_space("memory", root)
    rng = random.Random(1)
    regions: list[MemoryRegion] = []

    def round_() -> None:
        if len(regions) < 200 and rng.random() < 0.5:
            region = memory.ram(f"r{rng.randrange(10**6)}", 4096 * rng.randrange(1, 9))
            root.add_subregion(rng.randrange(1 << 30) & ~0xFFF, region, rng.randrange(-2, 3))
            regions.append(region)
        elif regions:
            region = regions.pop(rng.randrange(len(regions)))
            root.del_subregion(region)
            memory.free(region)
        assert sum(each.size for each in space.view) <= 1 << 64

    stays_flat(round_)


def test_clients_come_and_go(tmp_path: Path) -> None:
    with MonitorServer(FakeMachine(), [f"unix:{tmp_path / 'qmp'}"]) as server:

        def round_() -> None:
            with QmpSocket(server.addresses[0]) as client:
                assert client.ask("query-status")["running"]

        stays_flat(round_)
