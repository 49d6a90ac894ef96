"""The object of the machine itself, its RAM, and the system bus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from guestmap.machine.tree.objects import Adapter
from guestmap.machine.tree.regions import add_region_object

if TYPE_CHECKING:
    from guestmap.machine.config import MachineConfig
    from guestmap.machine.options.smp import CpuTopology
    from guestmap.machine.tree.builder import Builder
    from guestmap.machine.tree.lookup import MachineTree
    from guestmap.machine.tree.objects import BusObject
    from guestmap.memory import MemoryRegion
    from guestmap.qom import JsonValue


@runtime_checkable
class _Backend(Protocol):
    """What :mod:`guestmap.machine.hotplug.backends` has."""

    region: MemoryRegion | None

    def adopt(self, region: MemoryRegion) -> None: ...


_RAM = "memory-backend-ram"


def make_machine(tree: MachineTree, config: MachineConfig) -> Adapter:
    """Make ``/machine``, of the board's type, and the containers that every machine has."""
    made = tree.types.new(config.board.type_name)
    assert isinstance(made, Adapter)
    tree.root.add_child("machine", made)
    for path in ("/chardevs", "/machine/peripheral", "/machine/peripheral-anon"):
        tree.container(path)
    made.values |= {"memory": _memory_sizes(config), "smp": _topology(config.topology)}
    if config.bios is not None:
        made.values["firmware"] = str(config.bios)
    return made


def make_sysbus(build: Builder) -> BusObject:
    """Make the system bus."""
    sysbus = build.free_bus("System", "main-system-bus")
    sysbus.realized = False
    build.unattached.add_child("sysbus", sysbus)
    return sysbus


def _memory_sizes(config: MachineConfig) -> JsonValue:
    sizes: dict[str, JsonValue] = {"size": config.ram_size}
    if config.slots:
        sizes |= {"slots": config.slots, "max-size": config.max_ram}
    return sizes


def _topology(smp: CpuTopology) -> JsonValue:
    return {
        "cpus": smp.cpus, "maxcpus": smp.max_cpus, "cores": smp.cores, "threads": smp.threads,
        "dies": 1, "sockets": smp.sockets, "clusters": 1,
    }  # fmt: skip


def add_ram(build: Builder, machine: Adapter, ram: MemoryRegion) -> None:
    """Put in the RAM and the back-ends that it is made of."""
    tree = build.tree
    objects = tree.container("/objects")
    if ram.ram_block is None:
        add_region_object(machine, ram)
    elif ram.owner is None:
        backend = build.types.new(_RAM)
        assert isinstance(backend, _Backend)
        backend.adopt(ram)
        objects.add_child(ram.name, backend)
    for each in objects.children.values():
        if isinstance(each, _Backend) and each.region is not None:
            if tree.region(each.region) is None:
                add_region_object(each, each.region)
            if each.region is ram:
                machine.values["memory-backend"] = each
