"""``info numa`` beside QEMU's, before and after memory is plugged in."""

from __future__ import annotations

import pytest

from tests.monitor.hmp.beside import Beside

_TWO = (
    "-m", "256M,slots=4,maxmem=4G",
    "-object", "memory-backend-ram,id=a,size=64M", "-object", "memory-backend-ram,id=b,size=192M",
)  # fmt: skip


@pytest.mark.qemu
@pytest.mark.parametrize(
    "args",
    [
        ("-m", "128M"),
        ("-m", "257M,maxmem=4G,slots=2", "-smp", "3"),
        (*_TWO, "-smp", "3,maxcpus=4", "-numa", "node,memdev=a,cpus=0-1",
         "-numa", "node,memdev=b,cpus=2-3"),
        (*_TWO, "-smp", "4", "-numa", "node,nodeid=1,memdev=a,cpus=0,cpus=2",
         "-numa", "node,nodeid=0,memdev=b", "-numa", "node,nodeid=2,cpus=1,cpus=3"),
        (*_TWO, "-smp", "4", "-numa", "node,memdev=a", "-numa", "node,memdev=b"),
    ],
)  # fmt: skip
def test_nodes_are_those_of_the_command_line(args: tuple[str, ...]) -> None:
    with Beside(*args) as pair:
        pair.check("info numa", "info numa x")


@pytest.mark.qemu
def test_what_is_plugged_in_counts_where_it_is() -> None:
    nodes = ("-numa", "node,memdev=a", "-numa", "node,memdev=b,cpus=0")
    cold = ("-object", "memory-backend-ram,id=c,size=512M", "-device", "pc-dimm,memdev=c,node=1")
    with Beside(*_TWO, *nodes, *cold) as pair:
        pair.check("info numa")
        pair.check(
            "object_add memory-backend-ram,id=m0,size=128M",
            "device_add pc-dimm,id=d0,memdev=m0",
            "info numa",
            "object_add memory-backend-ram,id=m1,size=192M",
            "device_add pc-dimm,id=d1,memdev=m1,node=1",
            "info numa",
        )
