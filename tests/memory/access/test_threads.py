"""Memory read and written by several threads while others change the map: nothing is torn."""

from __future__ import annotations

import os
import time

import pytest

from tests.memory.threads import Readers

SOAK_S = float(os.environ.get("GUESTMAP_SOAK_S", "3600"))


@pytest.mark.timeout(SOAK_S + 300)
@pytest.mark.parametrize("seconds", [0.3, pytest.param(SOAK_S / 6, marks=pytest.mark.soak)])
def test_eight_threads_read_and_write_during_commits(memory, seconds: float) -> None:
    """Ten minutes of an hour's soak; without a global lock this finds counts that are not kept."""
    readers = Readers(memory, threads=8)
    end = time.monotonic() + seconds
    with readers.running():
        while time.monotonic() < end or min(readers.rounds) == 0:
            readers.over.enabled = not readers.over.enabled
            assert not readers.failures
    assert not readers.failures


def test_views_of_one_memory_share_no_count(memory) -> None:
    """CPython counts a memoryview's slices, and where it has no global lock it miscounts."""
    block = memory.ram("ram", 0x2000).ram_block
    first, second = block.view(0, 0x1000), block.view(0x1000, 0x1000)
    first.release()
    second[:4] = b"word"
    assert block.cells[0x1000:0x1004] == b"word"
    assert block.buffer[0x1000:0x1004] == b"word"
