"""A definition as QEMU's command line: libvirt's, for what decides about memory.

Two things differ. There are three monitors, because there is no daemon that would hold the only
one: for changes, for questions and for events. And ``-no-shutdown`` is not given: a machine whose
guest shuts down ends by itself, as nobody may be there to end it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from guestmap.domain.process import devices_line
from guestmap.domain.process.backend_props import (
    RAM,
    cell_backend,
    device_backend,
    is_allocated,
    ram_backend,
)
from guestmap.domain.process.memory_props import device_props
from guestmap.domain.process.pci import bus_name, placed
from guestmap.domain.rules.errors import DomainError, Speaker, refusal
from guestmap.domain.rules.host_rules import absent_nodes
from guestmap.domain.rules.texts import CONFIG_UNSUPPORTED
from guestmap.domain.situation import ALIGNMENT
from guestmap.domain.xml.definition import QEMU_NAMESPACE
from guestmap.domain.xml.memory import NVDIMM, PciAddress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.tree import Element

MONITORS = ("monitor", "look", "events")
"""Names of the monitors: for changes, for questions, for listening."""
_PC = re.compile(r"(?:pc|pc-i440fx.*|q35|pc-q35.*)?")
_MODES = {"host-passthrough": "host", "host-model": "host", "maximum": "max"}


def command_line(
    found: Definition, monitors: Mapping[str, int], folder: str, memory: str
) -> list[str]:
    """Return the command line of a machine, stopped at its start.

    Args:
        found: the definition, its memory devices with aliases and addresses.
        monitors: descriptors of listening sockets, by name.
        folder: where sockets of the machine are made.
        memory: where files are made that are its memory.

    Raises:
        DomainError: it has what is not started here.
    """
    _refuse_unsupported(found)
    found = placed(found)
    words = [found.emulator, "-name", f"guest={_escaped(found.name)},debug-threads=on", "-S"]
    words += ["-machine", _machine(found), "-accel", "kvm" if found.kind == "kvm" else "tcg"]
    locked = "on" if found.backing.is_locked else "off"
    words += [*_cpu(found), "-m", _sizes(found), "-overcommit", f"mem-lock={locked}"]
    words += ["-smp", f"{found.vcpus},sockets={found.vcpus},cores=1,threads=1"]
    words += [*_ram(found, memory)]
    if found.uuid is not None:
        words += ["-uuid", found.uuid]
    words += ["-display", "none", "-no-user-config", "-nodefaults"]
    for name, descriptor in monitors.items():
        words += ["-chardev", f"socket,id=char{name},fd={descriptor},server=on,wait=off"]
        words += ["-mon", f"chardev=char{name},id={name},mode=control"]
    words += ["-rtc", "base=utc", *_boot(found)]
    words += devices_line.controllers(found)
    words += devices_line.disks(found)
    words += devices_line.serials(found, folder)
    words += devices_line.agent(found, folder)
    words += devices_line.balloon(found)
    words += _memory_devices(found, memory)
    words += user_arguments(found)
    return [*words, "-msg", "timestamp=on"]


def user_arguments(found: Definition) -> list[str]:
    """Return the words that a definition adds to the command line."""
    return [each.get("value") or "" for each in _arguments(found, "arg")]


def environment(found: Definition) -> dict[str, str]:
    """Return the variables that a definition sets for QEMU."""
    return {
        each.get("name") or "": each.get("value") or ""
        for each in _arguments(found, "env")
        if each.get("name")
    }


def _refuse_unsupported(found: Definition) -> None:
    tune = found.root.find("numatune/memory")
    if tune is not None and tune.get("placement") == "auto":
        raise refusal(found.dialect, "no-numad", at=tune, remedy="name the nodes: nodeset='0'")
    nodes = [found.backing.nodes, *(found.backing.by_cell or {}).values()]
    for each in nodes:
        for node in () if each is None else absent_nodes(each.nodes):
            raise refusal(found.dialect, "host-node", node=node, at=found.root.find("numatune"))
    if _is_backed(found) and not _PC.fullmatch(found.machine):
        raise DomainError(
            CONFIG_UNSUPPORTED,
            f"<memoryBacking> and <numatune> of a {found.machine} without NUMA nodes are not"
            " started here",
            domain=10,
            speaker=Speaker.OURS,
            remedy="add <cpu><numa><cell .../></numa></cpu>",
        )


def _is_backed(found: Definition) -> bool:
    """Tell whether RAM without NUMA nodes needs a backend of its own."""
    return not found.cells and found.backing.is_said


def _machine(found: Definition) -> str:
    words = [found.machine or "pc", "usb=off", "dump-guest-core=off"]
    if not found.backing.merges:
        words.append("mem-merge=off")
    if _is_backed(found):
        words.append(f"memory-backend={RAM}")
    if not found.acpi and not found.machine.startswith(("pseries", "s390")):
        words.append("acpi=off")
    if any(each.model == NVDIMM for each in found.devices):
        words.append("nvdimm=on")
    return ",".join(words)


def _cpu(found: Definition) -> list[str]:
    cpu = found.root.find("cpu")
    mode = cpu.get("mode") if cpu is not None else None
    model = cpu.value("model") if cpu is not None else None
    name = _MODES.get(mode or "") or model
    if name is None and "x86_64" in found.emulator:
        name = "qemu64"
    return [] if name is None else ["-cpu", name]


def _sizes(found: Definition) -> str:
    words = f"size={found.initial}k"
    if found.max_memory is not None:
        words += f",slots={found.slots}" if found.slots else ""
        words += f",maxmem={found.max_memory}k"
    return words


def _ram(found: Definition, memory: str) -> Iterator[str]:
    if _is_backed(found):
        yield from ("-object", _json(ram_backend(found, memory)))
    for cell in found.cells:
        backend = cell_backend(found, cell, memory)
        yield from ("-object", _json(backend))
        cpus = "".join(f",cpus={part}" for part in cell.cpus.split(",") if part)
        yield from ("-numa", f"node,nodeid={cell.id}{cpus},memdev={backend['id']}")


def _boot(found: Definition) -> Iterator[str]:
    yield from ("-boot", "strict=on")
    for path, option in (("os/kernel", "-kernel"), ("os/initrd", "-initrd"),
                         ("os/cmdline", "-append"),
                         ("os/loader", "-bios")):  # fmt: skip
        value = found.root.value(path)
        if value:
            yield from (option, value)


def _memory_devices(found: Definition, memory: str) -> Iterator[str]:
    for each in found.devices:
        yield from ("-object", _json(device_backend(found, each, ALIGNMENT, memory)))
        bus = bus_name(found, each.address.bus) if isinstance(each.address, PciAddress) else None
        yield from ("-device", _json(device_props(each, bus, allocated=is_allocated(found, each))))


def _arguments(found: Definition, name: str) -> Iterator[Element]:
    for line in found.root.children:
        if line.name == f"{{{QEMU_NAMESPACE}}}commandline":
            yield from (
                each for each in line.children if each.name == f"{{{QEMU_NAMESPACE}}}{name}"
            )


def _json(members: object) -> str:
    return json.dumps(members, separators=(",", ":"))


def _escaped(text: str) -> str:
    return text.replace(",", ",,")
