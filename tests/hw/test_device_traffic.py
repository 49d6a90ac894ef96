"""Every old device answers random port traffic as QEMU 7.2 does, and never raises."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from tests.hw.device_traffic import TRAFFIC, Bench, QemuBench
from tests.support.qemu import Qemu

RECORDED = sorted((Path(__file__).parents[1] / "golden").glob("qemu-*/devices/*.txt.gz"))


@pytest.mark.parametrize("path", RECORDED, ids=[path.name.split(".")[0] for path in RECORDED])
def test_the_answers_are_those_recorded_from_qemu(path: Path) -> None:
    bench = Bench()
    TRAFFIC[path.name.split(".")[0]].build(bench)
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    for number, line in enumerate(line for line in lines if not line.startswith("#")):
        command, expected = line.split(" -> ")
        assert bench.answer(command) == expected, f"command {number}: {command}"


def test_every_device_was_recorded() -> None:
    assert {path.name.split(".")[0] for path in RECORDED} == set(TRAFFIC)


@pytest.mark.qemu
@pytest.mark.qemu_7_2("its devices' registers")
@pytest.mark.parametrize("seed", range(1000, 1003))
@pytest.mark.parametrize("name", TRAFFIC)
def test_the_answers_are_those_of_a_live_qemu(name: str, seed: int) -> None:
    traffic = TRAFFIC[name]
    bench = Bench()
    traffic.build(bench)
    with Qemu(*traffic.qemu_args) as qemu:
        oracle = QemuBench(qemu)
        for number, command in enumerate(traffic.commands(random.Random(seed))):
            assert bench.answer(command) == oracle.answer(command), f"command {number}: {command}"


@pytest.mark.parametrize("name", TRAFFIC)
def test_a_device_never_raises(name: str) -> None:
    rng = random.Random(name)
    bench = Bench()
    TRAFFIC[name].build(bench)
    for _ in range(3000):
        region = rng.choice(bench.regions)
        ops = region.ops
        assert ops is not None
        assert ops.read is not None
        assert ops.write is not None
        # Beyond the region too: a wide access is split, and its later pieces may lie there.
        offset, size = rng.randrange(region.size + 8), rng.choice((1, 2, 4, 8))
        if rng.random() < 0.6:
            ops.write(offset, rng.choice((0, (1 << 8 * size) - 1, rng.getrandbits(64))), size)
        else:
            assert ops.read(offset, size) >= 0
        if rng.random() < 0.1:
            bench.clock.advance(rng.randrange(10**7))
