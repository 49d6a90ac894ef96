"""A stock 32-bit Linux on our own engine: it reaches its shell and runs programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from guestmap.base import MIB
from tests.support.linux_guest import PARTS_686, linux_on_our_engine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.peers, pytest.mark.unicorn, pytest.mark.seabios, pytest.mark.timeout(300)
]  # fmt: skip


@pytest.mark.parametrize("entry", ["16", "32"])
def test_it_reaches_its_shell(tmp_path: Path, entry: str) -> None:
    more = ("-m", "256M", "--kernel-entry", entry)
    with linux_on_our_engine(tmp_path, *more, parts=PARTS_686) as guest:
        assert guest.run("uname -m").strip() == "i686"
        assert 200 * MIB < guest.memory < 256 * MIB
        # Pages of processes of their own, copied on write, and a page fault for each.
        assert guest.run("for n in $(seq 20); do (echo $n); done | wc -l").strip() == "20"
        ram = guest.run("grep 'System RAM' /proc/iomem").splitlines()
        assert ram[-1].split(":")[0].strip().startswith("00100000-0ff")
