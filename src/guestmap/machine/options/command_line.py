"""QEMU's command line, as far as it describes a machine that we have.

Words are read in their order, as QEMU does, so that the first mistake is the one that is told;
what belongs together (memory, back-ends, NUMA nodes) is checked when all are read. Refusals are
QEMU's sentences, with the option in front where QEMU puts it there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guestmap.base import ConfigError
from guestmap.hw.apic.local import APIC_COMMON
from guestmap.hw.piix4_pm import Piix4Pm
from guestmap.machine.boards import BoardType, board_type
from guestmap.machine.config import (
    MachineConfig,
    check_ram_size,
)
from guestmap.machine.options.blockdev import read_blockdevs
from guestmap.machine.options.defaults import with_defaults
from guestmap.machine.options.drive import placed
from guestmap.machine.options.memory import MemoryOption
from guestmap.machine.options.numa import parse_nodes
from guestmap.machine.options.smp import CpuTopology
from guestmap.machine.options.words import Words

_VAPIC = f"{APIC_COMMON.name}.vapic"
_MEMORY_HOTPLUG = f"{Piix4Pm.TYPE.name}.memory-hotplug-support"
_TRUE, _FALSE = frozenset({"on", "yes", "true", "y"}), frozenset({"off", "no", "false", "n"})


def config_of(command_line: Sequence[str]) -> MachineConfig:
    """Return the machine that a QEMU command line describes.

    Options that are about the host (``-display``, ``-qmp``, ``-accel``, ...) are passed over.

    Args:
        command_line: the words, with or without the program's name in front.

    Raises:
        UnsupportedError: another machine type, or another option; the message names it.
        ConfigError: words that are no option, or values that are impossible.
    """
    words = list(command_line)
    if words and not words[0].startswith("-"):
        words = words[1:]
    read = Words.read(words)
    return _config(board_type(read.machine), read)


def _config(board: BoardType, read: Words) -> MachineConfig:
    backend = read.properties.get("memory-backend", "")
    default = _backend_size(read, backend) or board.default_ram
    memory = MemoryOption.parse(read.memory, default)
    size = memory.size or default
    topology = CpuTopology.parse(read.smp)
    fields = {"smm": None, **board.read(read.properties.items(), strict=False)}
    fields |= _devices(board, read)
    return MachineConfig(
        ram_size=check_ram_size(size, ",".join(read.memory)) if size else 0,
        cpus=topology.cpus,
        max_cpus=topology.max_cpus,
        sockets=topology.sockets,
        threads=topology.threads,
        vapic=read.globals.get(_VAPIC, "on") not in _FALSE,
        bios=read.bios,
        devices=tuple(sorted(read.devices, key=lambda each: each.is_json)),  # QEMU's order
        qemu_readonly_rules=True,
        slots=memory.slots,
        max_ram=memory.maximum,
        numa_nodes=parse_nodes(read.numa, read.objects, topology.max_cpus),
        objects=tuple(read.objects),
        option_roms=tuple(read.roms),
        acpi="no-acpi" not in read.flags and fields.pop("acpi", True),
        memory_hotplug=_global(read, _MEMORY_HOTPLUG),
        name=read.name,
        uuid=read.uuid,
        **fields,
    )


def _devices(board: BoardType, read: Words) -> dict[str, Any]:
    """Return what has a field of its own: adapters, ports and drives, the default ones too."""
    given: dict[str, Any] = {"drives": placed([*read.drives, *read_blockdevs(read.blockdevs)])}
    if read.vga and board.display_adapters:
        given["vga"] = read.vga
    given |= {name: False if name != "nic" else "none" for name in read.left_out}
    return given if "nodefaults" in read.flags else with_defaults(board, given, read.devices)


def _backend_size(read: Words, backend: str) -> int:
    """Return the bytes of the back-end that is all RAM, 0 without one."""
    size = next((each.properties["size"] for each in read.objects if each.id == backend), 0)
    return size if isinstance(size, int) else 0


def _global(read: Words, name: str) -> bool:
    value = read.globals.get(name, "on")
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    property_name = name.partition(".")[2]
    raise ConfigError(
        f"can't apply global {name}={value}: Parameter '{property_name}' expects 'on' or 'off'"
    )
