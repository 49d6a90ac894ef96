"""The object of the machine itself, its RAM, and the regions that belong to nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from guestmap.machine.composition.hardware import with_subregions
from guestmap.machine.composition.objects import Adapter
from guestmap.machine.composition.regions import add_region_object, add_region_objects

if TYPE_CHECKING:
    from guestmap.machine.boards.pc_i440fx.board import Pc
    from guestmap.machine.composition.builder import Builder
    from guestmap.machine.composition.tree import MachineTree
    from guestmap.machine.options.smp import Topology
    from guestmap.memory import MemoryRegion
    from guestmap.qom import JsonValue


@runtime_checkable
class _Backend(Protocol):
    """What :mod:`guestmap.machine.hotplug.backends` has."""

    region: MemoryRegion | None

    def adopt(self, region: MemoryRegion) -> None: ...


MACHINE = "pc-i440fx-7.2-machine"
_RAM = "memory-backend-ram"
_CONTAINERS = ("/objects", "/chardevs", "/machine/peripheral", "/machine/peripheral-anon")


def compose_machine(tree: MachineTree, pc: Pc) -> Adapter:
    """Make ``/machine`` and the containers."""
    made = tree.types.new(MACHINE)
    assert isinstance(made, Adapter)
    tree.root.add_child("machine", made)
    for path in _CONTAINERS:
        tree.container(path)
    config = pc.config
    made.values.update({
        "memory": _memory_sizes(pc),
        "smp": _topology(config.topology),
        "smm": "on" if config.smm else "off",
        "acpi": "auto" if config.acpi else "off",
        "max-ram-below-4g": config.max_ram_below_4g,
        "device-memory-region-size": lambda: _device_memory_size(pc),
    })  # fmt: skip
    if config.bios is not None:
        made.values["firmware"] = str(config.bios)
    return made


def _memory_sizes(pc: Pc) -> JsonValue:
    config = pc.config
    sizes: dict[str, JsonValue] = {"size": config.ram_size}
    if config.slots:
        sizes |= {"slots": config.slots, "max-size": config.max_ram}
    return sizes


def _topology(smp: Topology) -> JsonValue:
    return {
        "cpus": smp.cpus, "maxcpus": smp.max_cpus, "cores": smp.cores, "threads": smp.threads,
        "dies": 1, "sockets": smp.sockets, "clusters": 1,
    }  # fmt: skip


def _device_memory_size(pc: Pc) -> int:
    return pc.device_memory.size if pc.device_memory is not None else 0


def compose_memory(build: Builder, pc: Pc, machine: Adapter) -> None:
    """Put in the RAM, what is pluggable, and the regions that are nobody's."""
    tree = build.tree
    objects = tree.container("/objects")
    if pc.ram.ram_block is None:
        add_region_object(machine, pc.ram)
    elif pc.ram.owner is None:
        backend = build.types.new(_RAM)
        assert isinstance(backend, _Backend)
        backend.adopt(pc.ram)
        objects.add_child(pc.ram.name, backend)
    for each in objects.children.values():
        if isinstance(each, _Backend) and each.region is not None:
            if tree.region(each.region) is None:
                add_region_object(each, each.region)
            if each.region is pc.ram:
                machine.values["memory-backend"] = each
    if pc.device_memory is not None:
        add_region_object(machine, pc.device_memory.region)
    add_region_objects(build.unattached, *_nobodys(pc))


_RAM_WINDOWS = ("ram-below-4g", "ram-above-4g")
_ROMS = ("isa-bios", "pc.bios", "pc.rom")


def _nobodys(pc: Pc) -> Iterator[MemoryRegion]:
    yield pc.system_region
    yield pc.io_region
    yield from (each for each in pc.system_region.subregions if each.name in _RAM_WINDOWS)
    pci = pc.bus.memory_region
    yield pci
    yield from (each for each in pci.subregions if each.name in _ROMS)
    for port, ports in enumerate(pc.isa.all[:2]):
        assert ports.regions[0][1].name == ("ioport80", "ioportF0")[port]
        yield ports.regions[0][1]
    for channel in pc.isa.ide:
        yield from with_subregions(channel.command)
        yield from with_subregions(channel.control)
