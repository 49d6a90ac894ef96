"""IDE drives beside QEMU's: the same answers, interrupts, and bytes on the media."""

from __future__ import annotations

import random
from itertools import chain
from pathlib import Path

import pytest

from tests.hw.ide.traffic import (
    COMMAND,
    CONTROL,
    COUNTED,
    DISKS,
    MASTER,
    OurBench,
    QemuIdeBench,
    media,
    operations,
    qemu_args,
    set_up,
)
from tests.support.qemu import Qemu

pytestmark = [pytest.mark.qemu_7_2("its IDE"), pytest.mark.qemu, pytest.mark.seabios]

_STATUS = tuple(("in", port, 1) for port in (*CONTROL, *(each + 2 for each in MASTER)))


def _assert_same(folder: Path, seed: int, count: int) -> None:
    files = media(folder, seed)
    ours = OurBench(files)
    try:
        with Qemu(*qemu_args(files)) as qemu:
            theirs = QemuIdeBench(qemu)
            rng = random.Random(seed)
            for number, each in enumerate(chain(set_up(), operations(rng, count))):
                if ours.forgets_dma(each):
                    continue
                found = ours.do(each)
                assert theirs.do(each) == found, f"{number}: {each}"
                if each[0] == "out" or (each[0] == "in" and each[1] in COMMAND):
                    theirs.wait_for(ours)
                states = [[bench.do(status) for status in _STATUS] for bench in (ours, theirs)]
                assert states[0] == states[1], f"{number}: {each}"
                assert ours.high() == theirs.high(), f"{number}: {each}"
            stats = [each["stats"] for each in qemu.qmp("query-blockstats")[:DISKS]]
            assert ours.counted() == [{name: each[name] for name in COUNTED} for each in stats]
    finally:
        ours.board.close()
    for name in ("disk", "second", "disc"):
        assert files[f"ours-{name}"].read_bytes() == files[f"qemu-{name}"].read_bytes()


@pytest.mark.parametrize("seed", range(4))
def test_random_traffic_is_answered_as_by_qemu(seed: int, tmp_path: Path) -> None:
    _assert_same(tmp_path, seed, 80)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(100, 150))
def test_a_hundred_thousand_accesses_are_answered_as_by_qemu(seed: int, tmp_path: Path) -> None:
    _assert_same(tmp_path, seed, 80)
