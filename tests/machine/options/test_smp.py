"""How CPUs are spread over sockets, cores and threads, and over NUMA nodes.

QEMU 7.2, hw/core/machine-smp.c: cores are preferred over sockets, sockets over threads.
"""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError, UnsupportedError
from guestmap.machine.options.numa import NumaNode, check_nodes
from guestmap.machine.options.smp import CpuTopology, with_homes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # cpus, maxcpus, sockets, cores, threads
        ("1", (1, 1, 1, 1, 1)), ("6", (6, 6, 1, 6, 1)), ("cpus=6", (6, 6, 1, 6, 1)),
        ("maxcpus=4", (4, 4, 1, 4, 1)), ("2,maxcpus=4", (2, 4, 1, 4, 1)),
        ("8,sockets=2", (8, 8, 2, 4, 1)), ("8,cores=2", (8, 8, 4, 2, 1)),
        ("8,threads=2", (8, 8, 1, 4, 2)), ("8,sockets=2,cores=2", (8, 8, 2, 2, 2)),
        ("8,sockets=2,threads=2", (8, 8, 2, 2, 2)), ("8,cores=2,threads=2", (8, 8, 2, 2, 2)),
        ("sockets=2,cores=3,threads=2", (12, 12, 2, 3, 2)), ("cores=3", (3, 3, 1, 3, 1)),
        ("5,sockets=2,cores=2,threads=2,maxcpus=8", (5, 8, 2, 2, 2)),
        ("0", (1, 1, 1, 1, 1)), ("0,cores=2", (2, 2, 1, 2, 1)), ("4,dies=1", (4, 4, 1, 4, 1)),
        ("4,clusters=1", (4, 4, 1, 4, 1)), ("4,clusters=0,dies=0", (4, 4, 1, 4, 1)),
        ("010", (8, 8, 1, 8, 1)), ("0x10", (16, 16, 1, 16, 1)), ("255", (255, 255, 1, 255, 1)),
    ],
)  # fmt: skip
def test_what_is_not_said_is_worked_out(text: str, expected: tuple[int, ...]) -> None:
    found = CpuTopology.parse([text])
    assert (found.cpus, found.max_cpus, found.sockets, found.cores, found.threads) == expected


def test_several_options_are_taken_together() -> None:
    found = CpuTopology.parse(["4,sockets=2", "cores=1", "8,cores=4"])
    assert (found.cpus, found.sockets, found.cores) == (8, 2, 4)
    assert CpuTopology.parse([]) == CpuTopology()


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("3,sockets=2", "product of the hierarchy must match maxcpus"),
        ("8,cores=3", "product of the hierarchy"),
        ("4,maxcpus=2", "maxcpus must be equal to or greater than smp"),
        ("9,sockets=2,cores=2,threads=2,maxcpus=8", "equal to or greater than smp"),
        ("256", "Invalid SMP CPUs 256. The max CPUs supported by machine .* is 255"),
        ("4,clusters=2", "clusters not supported"), ("four", "expects integer"),
        ("4,sockets", "Expected '=' after parameter 'sockets'"), ("4,x=1", "'smp.x' is unexpected"),
        ("09", "expects integer"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(text: str, refusal: str) -> None:
    with pytest.raises(ConfigError, match=refusal):
        CpuTopology.parse([text])


def test_dies_are_not_modelled() -> None:
    with pytest.raises(UnsupportedError, match="dies=2"):
        CpuTopology.parse(["4,dies=2"])


def test_the_place_of_each_cpu() -> None:
    topology = CpuTopology(cpus=12, max_cpus=12, sockets=2, threads=2)
    places = [topology.place(cpu) for cpu in range(12)]
    assert places == [(s, c, t) for s in range(2) for c in range(3) for t in range(2)]


@pytest.mark.parametrize(
    ("given", "homes"),
    [
        ([set(), set()], [{0, 1, 4, 5}, {2, 3, 6, 7}]),  # socket by socket
        ([set(), {1, 2}], [{0, 3, 4, 5, 6, 7}, {1, 2}]),  # the rest in the first node
        ([set()], [set(range(8))]),
        ([set(), set(), set()], [{0, 1, 6, 7}, {2, 3}, {4, 5}]),
    ],
)
def test_every_cpu_has_a_node(given: list[set[int]], homes: list[set[int]]) -> None:
    topology = CpuTopology(cpus=8, max_cpus=8, sockets=4, threads=1)
    nodes = [NumaNode(number, frozenset(cpus)) for number, cpus in enumerate(given)]
    found = with_homes(nodes, topology)
    assert [set(node.cpus) for node in found] == homes
    assert [node.memory for node in found] == [*range(len(nodes))]
    assert with_homes([], topology) == ()


NODE = NumaNode(10, frozenset({0, 1}), "m0")


@pytest.mark.parametrize(
    ("nodes", "ram", "refusal"),
    [
        ([NODE], 10, None), ([], 10, None),
        ([NODE, NumaNode(5, frozenset({2, 3}), "m1")], 15, None),
        ([NODE], 11, r"total memory for NUMA nodes \(0xa\) should equal RAM size \(0xb\)"),
        ([NODE], 9, "total memory"),
        ([NODE, NumaNode(0, frozenset({1}))], 10, "CPU is already assigned to node-id: 0"),
        ([NumaNode(10, frozenset({4}))], 10, r"index \(4\) should be smaller than maxcpus \(4\)"),
        ([NumaNode(10, frozenset({3}))], 10, None),
        ([NODE, NumaNode(0, frozenset(), "m0")], 10, "m0 can't be used multiple times"),
        ([NumaNode(5), NumaNode(5)], 10, None),
    ],
)  # fmt: skip
def test_nodes_share_out_the_machine(nodes: list[NumaNode], ram: int, refusal: str | None) -> None:
    if refusal is None:
        check_nodes(nodes, ram, 4)
    else:
        with pytest.raises(ConfigError, match=refusal):
            check_nodes(nodes, ram, 4)
