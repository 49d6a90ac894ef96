"""The object of the PC itself, its memory, and the regions that belong to nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from guestmap.firmware.images import BIOS_NAME
from guestmap.machine.tree import add_region_object, add_region_objects
from guestmap.machine.tree.machine_object import add_ram, make_machine

if TYPE_CHECKING:
    from guestmap.hw.device import RegisterBlock
    from guestmap.machine.boards.pc_i440fx.board import Pc
    from guestmap.machine.tree import Adapter, Builder, MachineTree
    from guestmap.memory import MemoryRegion


def compose_pc(tree: MachineTree, pc: Pc) -> Adapter:
    """Make ``/machine`` of a PC."""
    made = make_machine(tree, pc.config)
    config = pc.config
    made.values.setdefault("firmware", BIOS_NAME)
    made.values.update({
        "boot": {"order": "cad"},
        "smm": "on" if config.has_smm else "off",
        "usb": config.option("usb"),
        "hpet": config.option("hpet"),
        "acpi": "auto" if config.acpi else "off",
        "max-ram-below-4g": config.max_ram_below_4g,
        "device-memory-region-size": lambda: _device_memory_size(pc),
    })  # fmt: skip
    return made


def _device_memory_size(pc: Pc) -> int:
    return pc.device_memory.size if pc.device_memory is not None else 0


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
