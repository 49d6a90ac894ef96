"""The CPUs: which there are, where in the object tree, and in which NUMA node."""

from __future__ import annotations

import os
from typing import Any

from guestmap.base import ConfigError
from guestmap.machine.options.smp import with_homes
from guestmap.monitor.claim import QemuClaim
from guestmap.monitor.command import Arguments, Context, MonitorCommand
from guestmap.qmp import INT, STR, Array, Command, Enum, Member, Struct

CPU_TYPE = "qemu64-x86_64-cpu"
TARGET = Enum("SysEmuTarget", ("x86_64",))


def _query_cpus_fast(context: Context, _arguments: Arguments) -> list[dict[str, Any]]:
    return [
        {
            "thread-id": context.vm.thread_id or os.getpid(),
            "props": _place(context, index),
            "qom-path": path,
            "cpu-index": index,
            "target": "x86_64",
        }
        | ({"qom-type": CPU_TYPE} if context.commands.claim.cpu_type else {})
        for index, path in enumerate(_paths(context))
    ]


def _query_hotpluggable_cpus(context: Context, _arguments: Arguments) -> list[dict[str, Any]]:
    """Return the CPUs that there may be, the last one first, as QEMU does.

    Raises:
        ConfigError: the board tells nobody.
    """
    if not context.vm.board.config.board.cpus_are_listed:
        raise ConfigError("The feature 'query-hotpluggable-cpus' is not enabled")
    paths = _paths(context)
    return [
        {"props": _place(context, index), "vcpus-count": 1, "type": CPU_TYPE}
        | ({"qom-path": paths[index]} if index < len(paths) else {})
        for index in reversed(range(context.vm.board.config.topology.max_cpus))
    ]


def _paths(context: Context) -> list[str]:
    unattached = context.vm.board.tree.resolve("/machine/unattached")
    return [each.path for each in unattached.children.values() if each.is_a(CPU_TYPE)]


def _place(context: Context, index: int) -> dict[str, int]:
    """Return where a CPU sits."""
    config = context.vm.board.config
    topology = config.topology
    core, thread = divmod(index, topology.threads)
    socket, core = divmod(core, topology.cores)
    place = {"core-id": core, "thread-id": thread, "socket-id": socket}
    homes = with_homes(config.numa_nodes, topology)
    if homes:
        place["node-id"] = next(n for n, node in enumerate(homes) if index in node.cpus)
    elif config.slots:
        place["node-id"] = 0  # memory hot-plug brings one with it
    return place


_PROPERTIES = Struct(
    "CpuInstanceProperties",
    tuple(
        Member(name, INT, optional=True)
        for name in ("node-id", "socket-id", "die-id", "cluster-id", "core-id", "thread-id")
    ),
)
_CPU_INFO = (
    Member("cpu-index", INT),
    Member("qom-path", STR),
    Member("thread-id", INT),
    Member("props", _PROPERTIES, optional=True),
    Member("target", TARGET),
)
_HOTPLUGGABLE_CPU = Struct(
    "HotpluggableCPU",
    (
        Member("type", STR),
        Member("vcpus-count", INT),
        Member("props", _PROPERTIES),
        Member("qom-path", STR, optional=True),
    ),
)


def commands(claim: QemuClaim) -> tuple[MonitorCommand, ...]:
    """Return the commands of the QEMU that is claimed."""
    kind = (Member("qom-type", STR),) if claim.cpu_type else ()
    cpus = Array(Struct("CpuInfoFast", (*_CPU_INFO, *kind)))
    pluggable = Array(_HOTPLUGGABLE_CPU)
    return (
        MonitorCommand(Command("query-cpus-fast", None, cpus), _query_cpus_fast),
        MonitorCommand(
            Command("query-hotpluggable-cpus", None, pluggable, allow_preconfig=True),
            _query_hotpluggable_cpus,
        ),
    )
