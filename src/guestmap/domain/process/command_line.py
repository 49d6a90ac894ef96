"""A definition as QEMU's command line: libvirt's, for what decides about memory.

Two things differ. There are three monitors, because there is no daemon that would hold the only
one: for changes, for questions and for events. And ``-no-shutdown`` is not given: a machine whose
guest shuts down ends by itself, as nobody may be there to end it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from guestmap.base import KIB
from guestmap.domain.process import devices_line
from guestmap.domain.process.memory_props import backend_props, device_props
from guestmap.domain.process.pci import Places
from guestmap.domain.rules.errors import DomainError, Speaker
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
_MODES = {"host-passthrough": "host", "host-model": "host", "maximum": "max"}
_UNSUPPORTED = ("memoryBacking/hugepages", "memoryBacking/source", "memoryBacking/access",
                "memoryBacking/locked", "numatune/memory")  # fmt: skip


def command_line(found: Definition, monitors: Mapping[str, int], folder: str) -> list[str]:
    """Return the command line of a machine, stopped at its start.

    Args:
        found: the definition, its memory devices with aliases and addresses.
        monitors: descriptors of listening sockets, by name.
        folder: where sockets and files of the machine are made.

    Raises:
        DomainError: it has what is not started here.
    """
    _refuse_unsupported(found)
    places = Places(found)
    words = [found.emulator, "-name", f"guest={_escaped(found.name)},debug-threads=on", "-S"]
    words += ["-machine", _machine(found), "-accel", "kvm" if found.kind == "kvm" else "tcg"]
    words += [*_cpu(found), "-m", _sizes(found), "-overcommit", "mem-lock=off"]
    words += ["-smp", f"{found.vcpus},sockets={found.vcpus},cores=1,threads=1"]
    words += [*_nodes(found)]
    if found.uuid is not None:
        words += ["-uuid", found.uuid]
    words += ["-display", "none", "-no-user-config", "-nodefaults"]
    for name, descriptor in monitors.items():
        words += ["-chardev", f"socket,id=char{name},fd={descriptor},server=on,wait=off"]
        words += ["-mon", f"chardev=char{name},id={name},mode=control"]
    words += ["-rtc", "base=utc", *_boot(found)]
    words += devices_line.controllers(found, places)
    words += devices_line.disks(found, places)
    words += devices_line.serials(found, folder)
    words += devices_line.agent(found, places, folder)
    words += devices_line.balloon(found, places)
    words += _memory_devices(found, places, folder)
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
    for path in _UNSUPPORTED:
        element = found.root.find(path)
        if element is not None:
            raise DomainError(
                CONFIG_UNSUPPORTED,
                f"<{path.replace('/', '><')}> is not started here",
                domain=10,
                speaker=Speaker.OURS,
                remedy="leave it out; a <memory> device has <pagesize>, <nodemask> and access= of"
                " its own",
                at=element,
            )


def _machine(found: Definition) -> str:
    words = [found.machine or "pc", "usb=off", "dump-guest-core=off"]
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


def _nodes(found: Definition) -> Iterator[str]:
    for cell in found.cells:
        name = f"ram-node{cell.id}"
        yield from ("-object", _json({
            "qom-type": "memory-backend-ram", "id": name, "size": cell.memory * KIB}))  # fmt: skip
        cpus = "".join(f",cpus={part}" for part in cell.cpus.split(",") if part)
        yield from ("-numa", f"node,nodeid={cell.id}{cpus},memdev={name}")


def _boot(found: Definition) -> Iterator[str]:
    yield from ("-boot", "strict=on")
    for path, option in (("os/kernel", "-kernel"), ("os/initrd", "-initrd"),
                         ("os/cmdline", "-append"),
                         ("os/loader", "-bios")):  # fmt: skip
        value = found.root.value(path)
        if value:
            yield from (option, value)


def _memory_devices(found: Definition, places: Places, folder: str) -> Iterator[str]:
    for each in found.devices:
        yield from ("-object", _json(backend_props(each, ALIGNMENT, folder)))
        bus = places.bus(each.address.bus) if isinstance(each.address, PciAddress) else None
        yield from ("-device", _json(device_props(each, bus)))


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
