"""The adapter that the documents show works with the real Qiling, in an environment of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("unicorn")

from tests.accel.front import qiling_board
from tests.accel.front.qiling_board import adapter, board

_PYTHON = Path(__file__).parents[3] / ".oracle" / "qiling" / "bin" / "python"
"""Where `make test-peers` has Qiling."""


class FakeQiling:
    """As much of a Qiling as the adapter uses."""

    def __init__(self, uc: Any) -> None:
        self.uc = uc
        self.mem = self
        self.listed: list[tuple[int, int, str]] = []

    def add_mapinfo(self, start: int, end: int, _access: int, label: str) -> None:
        self.listed.append((start, end, label))


def test_the_adapter_lists_each_page_once() -> None:
    from unicorn import Uc
    from unicorn import unicorn_const as uc_api

    ql = FakeQiling(Uc(uc_api.UC_ARCH_ARM, uc_api.UC_MODE_ARM))
    with adapter()(ql, board()):
        assert ql.listed == [
            (0x4000_0000, 0x4000_1000, "uart"),
            (0x5000_0000, 0x5000_2000, "ram"),
        ]


@pytest.mark.peers
@pytest.mark.skipif(not _PYTHON.exists(), reason="tools/setup.sh peers makes what has Qiling")
def test_a_program_in_qiling_reads_a_device() -> None:
    words = [_PYTHON, qiling_board.__file__]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=True)
    value, *listed = done.stdout.splitlines()
    assert value == "0x55"
    assert any("40000000" in line and "uart" in line for line in listed)
    assert any("50000000" in line and "ram" in line for line in listed)
