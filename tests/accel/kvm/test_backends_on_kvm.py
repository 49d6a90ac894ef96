"""RAM from files in memory, from huge pages, bound to a node: a real KVM has what the host has."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestmap.base import GuestmapError
from guestmap.inspect.ask.mappings import read_mappings
from guestmap.machine import MachineConfig, ObjectSpec, Phase, VirtualMachine

pytestmark = [pytest.mark.kvm, pytest.mark.seabios]

SIZE = 64 << 20
HUGE = 2 << 20


def boot(backend: str) -> list[str]:
    """Boot on such RAM; return the lines of the process' map that are mapped by slots."""
    config = MachineConfig(
        ram_size=SIZE, debugcon=True, memory_backend="m",
        objects=(ObjectSpec.parse(f"{backend},id=m,size={SIZE}"),),
    )  # fmt: skip
    with VirtualMachine(config, engine="kvm") as vm:
        vm.run(until=Phase.PREPBOOT)
        assert vm.phases.phase is Phase.PREPBOOT
        lines = Path("/proc/self/maps").read_text().splitlines()
        assert read_mappings(lines, source="maps")
        found = []
        for slot in vm.accelerator.memory_slots():
            for line in lines:
                first, last = (int(word, 16) for word in line.split()[0].split("-"))
                if first <= slot.host < last and slot.size >= 0x100000:
                    found.append(line)
        return found


def test_memfd():
    mapped = boot("memory-backend-memfd")
    assert mapped
    assert all(each.split()[1] == "rw-s" and "memfd:" in each for each in mapped)


def test_a_file(tmp_path):
    mapped = boot(f"memory-backend-file,mem-path={tmp_path / 'ram'},share=on")
    assert mapped
    assert all(each.endswith(str(tmp_path / "ram")) for each in mapped)


def test_a_node_of_the_host():
    """Where the host's kernel has no NUMA, that is said by name."""
    nodes = Path("/sys/devices/system/node/node0")
    backend = "memory-backend-ram,policy=bind,host-nodes=0,prealloc=on"
    if nodes.exists():
        assert boot(backend)
    else:
        with pytest.raises(GuestmapError, match=r"NUMA|mbind|not implemented"):
            boot(backend)


def test_huge_pages():
    """Where the host has none to give, that is said by name."""
    pool = Path(f"/sys/kernel/mm/hugepages/hugepages-{HUGE >> 10}kB/free_hugepages")
    backend = "memory-backend-memfd,hugetlb=on,hugetlbsize=2M,prealloc=on"
    if pool.exists() and int(pool.read_text()) >= SIZE // HUGE:
        assert boot(backend)
    else:
        with pytest.raises(GuestmapError, match="unable to map backing store"):
            boot(backend)
