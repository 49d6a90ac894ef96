"""``info numa``: which CPUs and how much memory each NUMA node has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from guestmap.base import MIB

if TYPE_CHECKING:
    from guestmap.monitor.hmp.arguments import Values
    from guestmap.monitor.hmp.command import HmpContext

QmpObject = Mapping[str, Any]


def info_numa(context: HmpContext, _values: Values) -> str:
    """Show the NUMA nodes."""
    config = context.board.config
    memory = [node.memory for node in config.numa_nodes]
    if not memory and config.slots:
        memory = [config.ram_size]  # memory hot-plug brings a node with it
    return numa_text(
        memory, context.query("query-cpus-fast"), context.query("query-memory-devices")
    )


def numa_text(
    memory: Sequence[int], cpus: Iterable[QmpObject], devices: Iterable[QmpObject]
) -> str:
    """Return the text.

    Args:
        memory: the bytes of RAM of each node, without what is plugged in.
        cpus: what ``query-cpus-fast`` returns.
        devices: what ``query-memory-devices`` returns.
    """
    members: list[list[int]] = [[] for _ in memory]
    plugged = [0 for _ in memory]
    if memory:
        for cpu in cpus:
            members[cpu["props"]["node-id"]].append(cpu["cpu-index"])
        for device in devices:
            plugged[device["data"]["node"]] += device["data"]["size"]
    lines = [f"{len(memory)} nodes\n"]
    for node, size in enumerate(memory):
        lines += [
            f"node {node} cpus:{''.join(f' {cpu}' for cpu in members[node])}\n",
            f"node {node} size: {(size + plugged[node]) // MIB} MB\n",
            f"node {node} plugged: {plugged[node] // MIB} MB\n",
        ]
    return "".join(lines)
