"""Devices of a definition as options of QEMU: disks, serial ports, ports of PCI, the agent's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from guestmap.domain.process.memory_props import pci_words
from guestmap.domain.process.pci import bus_name, pci_props
from guestmap.domain.process.ports import ports_of
from guestmap.domain.rules.errors import DomainError, Speaker
from guestmap.domain.rules.texts import CONFIG_UNSUPPORTED

if TYPE_CHECKING:
    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.tree import Element

AGENT = "org.qemu.guest_agent.0"
SILENT = frozenset({"emulator", "memory", "input", "controller", "memballoon", "console"})
"""Devices of which nothing need be said: they are made elsewhere, or the machine has them."""


def _json(**members: Any) -> str:
    return json.dumps({name.replace("_", "-"): value for name, value in members.items()
                       if value is not None}, separators=(",", ":"))  # fmt: skip


def controllers(found: Definition) -> Iterator[str]:
    """Yield the root ports."""
    for each in ports_of(found):
        yield "-device"
        yield _json(driver="pcie-root-port", port=each.port, chassis=each.chassis,
                    id=f"pci.{each.bus}", bus=bus_name(found, each.address.bus),
                    multifunction=True if each.is_multifunction else None,
                    addr=pci_words(each.address))  # fmt: skip


def disks(found: Definition) -> Iterator[str]:
    """Yield the disks: files, on virtio or IDE.

    Raises:
        DomainError: one of another kind.
    """
    ide = 0
    for number, each in enumerate(found.root.every("devices/disk"), 1):
        source, driver, target = each.find("source"), each.find("driver"), each.find("target")
        path = source.get("file") if source is not None else None
        bus = target.get("bus") if target is not None else None
        is_cd = each.get("device") == "cdrom"
        if each.get("type") != "file" or (path is None and not is_cd):
            raise _lacking(each, "a disk that is no file", "write <disk type='file'>")
        read_only = is_cd or each.find("readonly") is not None
        node = f"libvirt-{number}-format"
        if path is not None:
            kind = driver.get("type") if driver is not None else None
            yield from ("-blockdev", _json(
                driver="file", filename=path, node_name=f"libvirt-{number}-storage",
                auto_read_only=True, discard="unmap"))  # fmt: skip
            yield from ("-blockdev", _json(
                node_name=node, read_only=read_only, driver=kind or "raw",
                file=f"libvirt-{number}-storage"))  # fmt: skip
        drive = node if path is not None else None
        if bus == "virtio":
            yield from ("-device", _json(
                driver="virtio-blk-pci", **pci_props(found, each), drive=drive,
                id=f"virtio-disk{number - 1}"))  # fmt: skip
        elif bus in {"ide", "sata"}:
            channel, unit = (ide, 0) if bus == "sata" else divmod(ide, 2)
            ide += 1
            yield from ("-device", _json(
                driver="ide-cd" if is_cd else "ide-hd", bus=f"ide.{channel}", unit=unit,
                drive=drive, id=f"{bus}0-{channel}-{unit}"))  # fmt: skip
        else:
            raise _lacking(each, f"a disk on {bus}", "write bus='virtio', 'ide' or 'sata'")


def serials(found: Definition, folder: str) -> Iterator[str]:
    """Yield the serial ports; a console without one is the first."""
    ports = (
        list(found.root.every("devices/serial"))
        or [
            each
            for each in found.root.every("devices/console")
            if (target := each.find("target")) is None or target.get("type") in {None, "serial"}
        ][:1]
    )
    for number, each in enumerate(ports):
        name = f"charserial{number}"
        yield from ("-chardev", _chardev(each, name, f"{folder}/serial{number}"))
        yield from ("-device", _json(
            driver="isa-serial", chardev=name, id=f"serial{number}", index=number))  # fmt: skip


def agent(found: Definition, folder: str) -> Iterator[str]:
    """Yield the way to the guest's agent."""
    for number, each in enumerate(found.root.every("devices/channel")):
        target = each.find("target")
        if target is None or target.get("type") != "virtio" or number:
            raise _lacking(each, "a channel that is not the guest agent's", "leave it out")
        name = target.get("name") or AGENT
        carrier = next(each for each in found.root.every("devices/controller")
                       if each.get("type") == "virtio-serial")  # fmt: skip
        yield from ("-device", _json(
            driver="virtio-serial-pci", id="virtio-serial0",
            **pci_props(found, carrier)))  # fmt: skip
        yield from ("-chardev", _chardev(each, "charchannel0", f"{folder}/agent"))
        yield from ("-device", _json(
            driver="virtserialport", bus="virtio-serial0.0", nr=1, chardev="charchannel0",
            id="channel0", name=name))  # fmt: skip


def balloon(found: Definition) -> Iterator[str]:
    """Yield the balloon, where the definition has one; none is added unasked."""
    for each in found.root.every("devices/memballoon"):
        if (each.get("model") or "").startswith("virtio"):
            yield from ("-device", _json(
                driver="virtio-balloon-pci", id="balloon0", **pci_props(found, each)))  # fmt: skip


def left_out(found: Definition) -> tuple[str, ...]:
    """Return a sentence for each device of a definition that the machine will not have."""
    known = SILENT | {"disk", "serial", "channel"}
    return tuple(
        f"<{each.name}> on line {each.line} is kept in the definition, and no part of the machine"
        for each in found.root.every("devices/*")
        if each.name not in known and each.get("model") != "none"
    )


def _chardev(element: Element, name: str, default: str) -> str:
    kind, source = element.get("type"), element.find("source")
    path = (source.get("path") if source is not None else None) or default
    if kind in {"pty", "null", "stdio"}:
        return f"{kind},id={name}"
    escaped = path.replace(",", ",,")
    if kind == "file":
        return f"file,id={name},path={escaped}"
    if kind == "unix":
        return f"socket,id={name},path={escaped},server=on,wait=off"
    raise _lacking(element, f"a port of type {kind!r}", "write type='pty', 'unix' or 'file'")


def _lacking(element: Element, what: str, remedy: str) -> DomainError:
    return DomainError(
        CONFIG_UNSUPPORTED,
        f"{what} is not started here",
        domain=10,
        speaker=Speaker.OURS,
        remedy=remedy,
        at=element,
    )
