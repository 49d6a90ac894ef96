"""The adapter that the documents show works with the real Qiling, where that is installed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("unicorn")

from guestmap.accel.unicorn import attach
from guestmap.memory import MemoryRegionOps, MemorySystem

DOCUMENT = Path(__file__).parents[3] / "docs" / "memory.md"


def _adapter() -> Any:
    found = re.search(r"```py\n(def show.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found
    names: dict[str, Any] = {"attach": attach}
    exec(found[1], names)
    return names["show"]


class FakeQiling:
    """As much of a Qiling as the adapter uses."""

    def __init__(self, uc: Any) -> None:
        self.uc = uc
        self.mem = self
        self.listed: list[tuple[int, int, str]] = []

    def add_mapinfo(self, start: int, end: int, _access: int, label: str) -> None:
        self.listed.append((start, end, label))


def _space() -> Any:
    memory = MemorySystem()
    board = memory.container("board", 1 << 32)
    uart = MemoryRegionOps(read=lambda _offset, _size: 0x55)
    board.add_subregion(0x4000_0000, memory.io("uart", 16, uart))
    board.add_subregion(0x4000_0010, memory.io("timer", 16, None))
    board.add_subregion(0x5000_0000, memory.ram("ram", 0x2000))
    return memory.address_space("memory", board)


def test_the_adapter_lists_each_page_once() -> None:
    from unicorn import Uc
    from unicorn import unicorn_const as uc_api

    ql = FakeQiling(Uc(uc_api.UC_ARCH_ARM, uc_api.UC_MODE_ARM))
    with _adapter()(ql, _space()):
        assert ql.listed == [
            (0x4000_0000, 0x4000_1000, "uart"),
            (0x5000_0000, 0x5000_2000, "ram"),
        ]


def test_a_program_in_qiling_reads_a_device() -> None:
    qiling = pytest.importorskip("qiling")
    const = pytest.importorskip("qiling.const")
    ql = qiling.Qiling(
        code=bytes.fromhex("0010d0e5 001083e5"),  # ldrb r1, [r0]; str r1, [r3]
        archtype=const.QL_ARCH.ARM,
        ostype=const.QL_OS.LINUX,
        rootfs="/",
        verbose=const.QL_VERBOSE.OFF,
    )
    space = _space()
    _adapter()(ql, space)
    ql.arch.regs.r0, ql.arch.regs.r3 = 0x4000_0000, 0x5000_1000
    ql.run()
    assert space.load(0x5000_1000, 4) == 0x55
    assert "uart" in "".join(ql.mem.get_formatted_mapinfo())
