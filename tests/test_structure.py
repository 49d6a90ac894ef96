"""The house's own rules about its devices, held by looking at the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

import pytest

from guestmap.hw.catalog import DEVICES, declared_types
from tests.test_names_of_classes import PACKAGE

# What is not meant for a device: the memory system, by its names and by the way from a region.
MEMORY_SYSTEM = {"MemorySystem", "RegionFactory", "MapCore"}
WAYS_THERE = {"system", "transactions", "topology"}

# Drivers' names that stand outside their declaration, and why. In the end: other programs' words.
NAMED = {
    # Options, elements and addresses that are only called as a driver is.
    "cli/boot_machine.py": {"serial"},
    "cli/boot_options.py": {"serial"},
    "domain/xml/memory.py": {"virtio-mmio"},
    "system/option_table.py": {"serial"},
    "machine/options/words.py": {"serial"},
    "machine/options/drive.py": {"floppy"},
    # What the domain manager starts emulators with: drivers of QEMU's, as libvirt does.
    "domain/process/devices_line.py": {
        "ide-cd",
        "ide-hd",
        "isa-serial",
        "serial",
        "virtio-balloon-pci",
    },
    # Kinds of causes, and words that QEMU's listings begin with: "VGA controller".
    "inspect/ask/causes.py": {"VGA", "apic"},
    "inspect/ask/roms.py": {"fw_cfg"},
    "inspect/text/info_roms.py": {"fw_cfg"},
    "monitor/commands/pci.py": {"VGA"},
    # Properties of a machine or of a disk, and the names of a machine's children.
    "machine/boards/microvm/__init__.py": {"isa-serial", "serial"},
    "machine/boards/microvm/board.py": {"isa-serial"},
    "machine/boards/microvm/tree.py": {"fw_cfg", "ioapic", "isa-serial"},
    "machine/boards/pc_i440fx/drives.py": {"floppy", "serial"},
    "machine/hotplug/ide.py": {"serial"},
    "machine/boards/pc_i440fx/__init__.py": {
        "e1000",
        "floppy",
        "hpet",
        "i8042",
        "serial",
        "vmport",
    },
    # What a user names, and what QEMU leaves out then of what it would have put there itself.
    "machine/options/defaults.py": {
        "VGA",
        "cirrus-vga",
        "floppy",
        "ide-cd",
        "ide-hd",
        "isa-fdc",
        "isa-parallel",
        "isa-serial",
        "serial",
    },
    "machine/boards/pc_i440fx/board.py": {"hpet"},
    "machine/boards/pc_i440fx/told.py": {"hpet"},
    "machine/boards/pc_i440fx/tree/machine.py": {"hpet"},
    "system/machine_line.py": {"hpet", "serial"},
    "machine/boards/pc_i440fx/tree/compose.py": {"ioapic"},
    "machine/boards/pc_i440fx/tree/host.py": {"fw_cfg"},
    "machine/tree/tables/machine.py": {"hpet", "i8042", "isa-serial", "vmport"},
    # What libvirt asks every emulator.
    "system/probe/questions.py": {
        "PIIX4_PM",
        "VGA",
        "ide-hd",
        "virtio-balloon-device",
        "virtio-balloon-pci",
    },
}

# Devices that others than the boards, which wire them, know by their classes, and why.
KNOWN = {
    # A port has an end outside the machine: a terminal, a socket, libvirt's console, a file.
    "cli/terminal.py": {"Serial16550"},
    "machine/board.py": {"ParallelPort", "Serial16550", "VirtioBalloon"},
    "monitor/serial_socket.py": {"Serial16550"},
    "system/chardevs.py": {"ParallelPort", "Serial16550"},
    "system/machine_line.py": {"ParallelPort", "Serial16550"},
    "system/wires.py": {"ParallelPort", "Serial16550"},
    "testing/guests/console.py": {"Serial16550"},
    # Whoever manages a machine asks its guest for memory.
    "monitor/commands/balloon.py": {"VirtioBalloon"},
    # What people type and move arrives at a keyboard and a mouse.
    "machine/input.py": {"Ps2Keyboard", "Ps2Mouse"},
    # Whoever plugs functions in gives the bus behind a bridge its name and its handler.
    "machine/hotplug/pci.py": {"PciBridge"},
    # Whoever plugs drives in makes them, each with its medium.
    "machine/hotplug/ide.py": {"IdeCdrom", "IdeDisk"},
    # QEMU's "info roms" tells what is in it; "-global" names its type.
    "monitor/hmp/roms.py": {"FwCfg"},
    "machine/options/command_line.py": {"Piix4Pm"},
}


@pytest.fixture(scope="module")
def modules() -> Mapping[str, ast.Module]:
    """The sources of all modules, by their paths."""
    return {
        str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8"))
        for path in PACKAGE.rglob("*.py")
    }


def test_no_device_reaches_the_memory_system(modules: Mapping[str, ast.Module]) -> None:
    found = {
        f"{place}:{node.lineno}"
        for place, module in modules.items()
        if place.startswith("hw/")
        for node in ast.walk(module)
        if (isinstance(node, ast.Name) and node.id in MEMORY_SYSTEM)
        or (isinstance(node, ast.alias) and node.name in MEMORY_SYSTEM)
        or (isinstance(node, ast.ImportFrom) and node.module == "guestmap.memory.system")
        or (isinstance(node, ast.Attribute) and node.attr in WAYS_THERE)
    }
    assert found == set(), "a device says what it wants placed; see hw/placement.py"


def test_no_driver_is_named_outside_its_declaration(modules: Mapping[str, ast.Module]) -> None:
    names = {each.name for each in declared_types()}
    word = re.compile(rf"({'|'.join(map(re.escape, names))})(?=$|[ ,.=])")
    found = {
        place: {match[1] for text in _texts(module) if (match := word.match(text))}
        for place, module in modules.items()
        if not place.startswith("hw/")
    }
    assert _some(found) == NAMED, "ask the declaration (guestmap.hw.catalog), or say here why not"


def test_only_boards_know_a_device_by_its_class(modules: Mapping[str, ast.Module]) -> None:
    classes = {each.__name__ for each in DEVICES}
    found = {
        place: classes & set(_imported(module))
        for place, module in modules.items()
        if not place.startswith(("hw/", "machine/boards/"))
    }
    assert _some(found) == KNOWN, "ask the declaration (guestmap.hw.catalog), or say here why not"


def _some(found: Mapping[str, set[str]]) -> dict[str, set[str]]:
    return {place: names for place, names in found.items() if names}


def _imported(module: ast.Module) -> Iterator[str]:
    """Yield what a module imports of the devices, wherever it does."""
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("guestmap.hw"):
            yield from (alias.name for alias in node.names)


def _texts(module: ast.Module) -> Iterator[str]:
    """Yield the strings of a module that are no documentation."""
    said = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value
