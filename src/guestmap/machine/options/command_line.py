"""QEMU's command line, as far as it describes a machine that we have.

Words are read in their order, as QEMU does, so that the first mistake is the one that is told;
what belongs together (memory, back-ends, NUMA nodes) is checked when all are read. Refusals are
QEMU's sentences, with the option in front where QEMU puts it there.
"""

from __future__ import annotations

from collections.abc import Sequence

from guestmap.base import ConfigError, UnsupportedError, parse_size
from guestmap.machine.config import (
    DEFAULT_MAX_RAM_BELOW_4G,
    DEFAULT_RAM,
    MachineConfig,
    check_ram_size,
)
from guestmap.machine.options.memory import MemoryOption
from guestmap.machine.options.numa import parse_nodes
from guestmap.machine.options.smp import Topology
from guestmap.machine.options.words import Words

_MACHINES = frozenset({"pc", "pc-i440fx-7.2"})
_VAPIC, _MEMORY_HOTPLUG = "apic-common.vapic", "PIIX4_PM.memory-hotplug-support"
_TRUE, _FALSE = frozenset({"on", "yes", "true", "y"}), frozenset({"off", "no", "false", "n"})


def config_of(command_line: Sequence[str]) -> MachineConfig:
    """Return the machine that a QEMU command line describes.

    Options that are about the host (``-display``, ``-qmp``, ``-accel``, ...) are passed over.

    Args:
        command_line: the words, with or without the program's name in front.

    Raises:
        UnsupportedError: another machine type, or default devices; the message names it.
        ConfigError: words that are no option, or values that are impossible.
    """
    words = list(command_line)
    if words and not words[0].startswith("-"):
        words = words[1:]
    read = Words.read(words)
    if read.machine not in _MACHINES:
        raise UnsupportedError(f"machine type {read.machine} is not modelled")
    if "nodefaults" not in read.flags or read.vga != "none":
        raise UnsupportedError(
            "QEMU's default devices (VGA, network, floppy) are not modelled:"
            " add -nodefaults -vga none"
        )
    return _config(read)


def _config(read: Words) -> MachineConfig:
    properties = read.properties
    backend = properties.get("memory-backend", "")
    memory = MemoryOption.parse(read.memory, _backend_size(read, backend) or DEFAULT_RAM)
    size = memory.size or _backend_size(read, backend) or DEFAULT_RAM
    topology = Topology.parse(read.smp)
    return MachineConfig(
        ram_size=check_ram_size(size, ",".join(read.memory)),
        max_ram_below_4g=(
            parse_size(properties["max-ram-below-4g"], what="max-ram-below-4g")
            if "max-ram-below-4g" in properties
            else DEFAULT_MAX_RAM_BELOW_4G
        ),
        cpus=topology.cpus,
        max_cpus=topology.max_cpus,
        sockets=topology.sockets,
        threads=topology.threads,
        smm=_switch(properties, "smm", "on") not in _FALSE,
        vapic=read.globals.get(_VAPIC, "on") not in _FALSE,
        bios=read.bios,
        devices=tuple(sorted(read.devices, key=lambda each: each.is_json)),  # QEMU's order
        qemu_readonly_rules=True,
        slots=memory.slots,
        max_ram=memory.maximum,
        numa_nodes=parse_nodes(read.numa, read.objects, topology.max_cpus),
        objects=tuple(read.objects),
        memory_backend=backend,
        option_roms=tuple(read.roms),
        acpi="no-acpi" not in read.flags and _switch(properties, "acpi", "on") not in _FALSE,
        memory_hotplug=_global(read, _MEMORY_HOTPLUG),
        name=read.name,
        uuid=read.uuid,
    )


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


def _switch(properties: dict[str, str], name: str, default: str) -> str:
    """Return a machine property of the values on, off and auto."""
    value = properties.get(name, default)
    if value not in {"on", "off", "auto"}:
        raise ConfigError(f"Parameter '{name}' does not accept value '{value}'")
    return value
