"""The object of the machine itself, its RAM, and the regions that belong to nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from guestmap.firmware.images import BIOS_NAME
from guestmap.machine.composition.objects import Adapter
from guestmap.machine.composition.regions import add_region_object, add_region_objects

if TYPE_CHECKING:
    from guestmap.hw.device import RegisterBlock
    from guestmap.machine.boards.pc_i440fx.board import Pc
    from guestmap.machine.composition.builder import Builder
    from guestmap.machine.composition.objects import BusObject
    from guestmap.machine.composition.tree import MachineTree
    from guestmap.machine.config import MachineConfig
    from guestmap.machine.options.smp import Topology
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


def compose_pc(tree: MachineTree, pc: Pc) -> Adapter:
    """Make ``/machine`` of a PC."""
    tree.container("/objects")
    made = make_machine(tree, pc.config)
    config = pc.config
    made.values.setdefault("firmware", BIOS_NAME)
    made.values.update({
        "boot": {"order": "cad"},
        "smm": "on" if config.smm else "off",
        "acpi": "auto" if config.acpi else "off",
        "max-ram-below-4g": config.max_ram_below_4g,
        "device-memory-region-size": lambda: _device_memory_size(pc),
    })  # fmt: skip
    return made


def _memory_sizes(config: MachineConfig) -> JsonValue:
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


def compose_memory(build: Builder, pc: Pc, machine: Adapter) -> None:
    """Put in the RAM, what is pluggable, and the regions that are nobody's."""
    add_ram(build, machine, pc.ram)
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
    blocks: tuple[RegisterBlock[Any], ...] = (pc.isa.post, pc.isa.fpu, *pc.isa.ide)
    for block in blocks:
        yield from block.regions
