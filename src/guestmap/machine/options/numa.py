"""``-numa node``: which CPUs and which memory belong together.

QEMU 7.2, hw/core/numa.c: a node's memory is a back-end that ``memdev`` names; the bytes of ``mem``
alone are refused for this machine type.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from guestmap.base import ConfigError, UnsupportedError
from guestmap.base.dataclass import dataclass
from guestmap.machine.options.object import ObjectSpec
from guestmap.machine.options.strings import (
    last_values,
    option,
    split_options,
    to_numbers,
    to_size,
    to_unsigned,
)

MOST_NODES = 128

_NODE_MEMBERS = ("type", "nodeid", "cpus", "mem", "memdev", "initiator")
_OTHER_TYPES = frozenset({"dist", "cpu", "hmat-lb", "hmat-cache"})


@dataclass(frozen=True, slots=True)
class NumaNode:
    """One NUMA node; its number is its place among the machine's.

    Attributes:
        memory: bytes of the machine's RAM; nodes share it out in their order. 0 is possible.
        cpus: numbers of its CPUs.
        memdev: the back-end that is its memory, by id; None without one.
    """

    memory: int = 0
    cpus: frozenset[int] = frozenset()
    memdev: str | None = None


def check_nodes(nodes: Sequence[NumaNode], ram_size: int, cpus: int) -> None:
    """Check that nodes share out the machine.

    Raises:
        ConfigError: their memory is not all of the RAM, a CPU is in two of them or in none of the
            machine's, or a back-end is the memory of two.
    """
    seen: dict[int, int] = {}
    for number, node in enumerate(nodes):
        for cpu in sorted(node.cpus):
            _claim(cpu, number, seen, cpus)
    total = sum(node.memory for node in nodes)
    if nodes and total != ram_size:
        raise ConfigError(
            f"total memory for NUMA nodes (0x{total:x}) should equal RAM size (0x{ram_size:x})"
        )
    taken: set[str] = set()
    for node in nodes:
        if node.memdev in taken:
            raise ConfigError(f"memory backend {node.memdev} can't be used multiple times.")
        if node.memdev is not None:
            taken.add(node.memdev)


def parse_nodes(
    texts: Iterable[str], objects: Iterable[ObjectSpec], cpus: int
) -> tuple[NumaNode, ...]:
    """Return the nodes that all ``-numa`` options together describe.

    Args:
        texts: their arguments, in order.
        objects: the machine's, which hold the back-ends.
        cpus: how many CPUs the machine has.

    Raises:
        ConfigError: QEMU's refusal, in its words.
        UnsupportedError: distances, and CPUs by their topology.
    """
    builder = _Builder({each.id: each for each in objects}, cpus)
    for text in texts:
        with option("numa", text):
            builder.add(text)
    return builder.done()


class _Builder:
    """The nodes so far."""

    def __init__(self, objects: Mapping[str, ObjectSpec], cpus: int) -> None:
        self._objects = objects
        self._cpus = cpus
        self._nodes: dict[int, NumaNode] = {}
        self._taken: dict[int, int] = {}

    def add(self, text: str) -> None:
        pairs = split_options(text, "type")
        values = last_values(pairs)
        kind = values.get("type")
        if kind is None:
            raise ConfigError("Parameter 'type' is missing")
        if kind in _OTHER_TYPES:
            raise UnsupportedError(f"NUMA option {kind} is not modelled")
        if kind != "node":
            raise ConfigError(f"Parameter 'type' does not accept value '{kind}'")
        number = len(self._nodes)
        if "nodeid" in values:
            number = to_unsigned("nodeid", values["nodeid"], 16)
        cpus = to_numbers("cpus", (value for key, value in pairs if key == "cpus"))
        if "mem" in values:
            to_size("mem", values["mem"])
        last_values(pairs, _NODE_MEMBERS)
        if "initiator" in values:
            raise UnsupportedError("initiator= (HMAT) is not modelled")
        if number >= MOST_NODES:
            raise ConfigError(f"Max number of NUMA nodes reached: {number}")
        if number in self._nodes:
            raise ConfigError(f"Duplicate NUMA nodeid: {number}")
        for cpu in sorted({*cpus}):
            _claim(cpu, number, self._taken, self._cpus)
        self._check_mem(values)
        memdev = values.get("memdev")
        self._nodes[number] = NumaNode(self._size(memdev), frozenset(cpus), memdev)

    def _check_mem(self, values: Mapping[str, str]) -> None:
        if "mem" not in values:
            return
        if "memdev" in values or any(node.memdev for node in self._nodes.values()):
            raise ConfigError(
                "numa configuration should use either mem= or memdev=,mixing both is not allowed"
            )
        raise ConfigError("Parameter -numa node,mem is not supported by this machine type")

    def _size(self, memdev: str | None) -> int:
        if memdev is None:
            return 0
        backend = self._objects.get(memdev)
        if backend is None:
            raise ConfigError(f"memdev={memdev} is ambiguous")  # QEMU's word for "not found"
        size = backend.properties["size"]
        assert isinstance(size, int)
        return size

    def done(self) -> tuple[NumaNode, ...]:
        """Return the nodes in the order of their numbers; none may be missing."""
        for number in range(max(self._nodes, default=0), -1, -1):
            if self._nodes and number not in self._nodes:
                raise ConfigError(f"numa: Node ID missing: {number}")
        return tuple(self._nodes[number] for number in sorted(self._nodes))


def _claim(cpu: int, node: int, taken: dict[int, int], cpus: int) -> None:
    if cpu >= cpus:
        raise ConfigError(f"CPU index ({cpu}) should be smaller than maxcpus ({cpus})")
    if cpu in taken:
        raise ConfigError(f"CPU is already assigned to node-id: {taken[cpu]}")
    taken[cpu] = node
