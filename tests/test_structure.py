"""The house's own rules about its devices, held by looking at the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from guestmap.hw.catalog import declared_types
from tests.test_names_of_classes import PACKAGE

# What is not meant for a device: the memory system, by its names and by the way from a region.
MEMORY_SYSTEM = {"MemorySystem", "RegionFactory", "MapCore"}
WAYS_THERE = {"system", "transactions", "topology"}

# Drivers' names that stand outside their declaration, and why. In the end: other programs' words.
NAMED = {
    # Options, elements and addresses that are only called as a driver is.
    "cli/boot_options.py": {"serial"},
    "domain/process/devices_line.py": {"serial", "isa-serial"},
    "domain/xml/memory.py": {"virtio-mmio"},
    "system/option_table.py": {"serial"},
    # Kinds of causes, and words that QEMU's listings begin with.
    "inspect/ask/causes.py": {"VGA", "apic"},
    "inspect/ask/roms.py": {"fw_cfg"},
    "inspect/text/info_roms.py": {"fw_cfg"},
    # Properties of a machine, and the names of its children.
    "machine/boards/microvm/__init__.py": {"isa-serial"},
    "machine/boards/microvm/board.py": {"isa-serial"},
    "machine/boards/microvm/tree.py": {"fw_cfg", "ioapic", "isa-serial"},
    "machine/boards/pc_i440fx/__init__.py": {"VGA", "hpet", "i8042", "vmport"},
    "machine/boards/pc_i440fx/tree/compose.py": {"ioapic"},
    "machine/boards/pc_i440fx/tree/host.py": {"fw_cfg"},
    "machine/tree/tables/machine.py": {"hpet", "i8042", "isa-serial", "vmport"},
    # What libvirt asks every emulator.
    "system/probe/questions.py": {"PIIX4_PM", "VGA"},
}


def test_no_device_reaches_the_memory_system() -> None:
    found = {
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in (PACKAGE / "hw").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Name) and node.id in MEMORY_SYSTEM)
        or (isinstance(node, ast.alias) and node.name in MEMORY_SYSTEM)
        or (isinstance(node, ast.ImportFrom) and node.module == "guestmap.memory.system")
        or (isinstance(node, ast.Attribute) and node.attr in WAYS_THERE)
    }
    assert found == set(), "a device says what it wants placed; see hw/placement.py"


def test_no_driver_is_named_outside_its_declaration() -> None:
    names = {each.name for each in declared_types()}
    word = re.compile(rf"({'|'.join(map(re.escape, names))})(?=$|[ ,.=])")
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE)
        if place.parts[0] != "hw":
            hits = {match[1] for text in _texts(path) if (match := word.match(text))}
            found |= {str(place): hits} if hits else {}
    assert found == NAMED, "ask the declaration (guestmap.hw.catalog), or say here why not"


def _texts(path: Path) -> Iterator[str]:
    """Yield the strings of a module that are no documentation."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value
