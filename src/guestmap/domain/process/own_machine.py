"""A definition as the command line of ``guestmap boot``: a machine of our own, driven the same way.

What it has not is refused by name. It serves any number of clients at one monitor.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from guestmap.domain.process.backend_props import cell_backend, device_backend
from guestmap.domain.process.command_line import user_arguments
from guestmap.domain.process.memory_props import device_props
from guestmap.domain.rules.errors import DomainError, Speaker
from guestmap.domain.rules.texts import CONFIG_UNSUPPORTED
from guestmap.domain.situation import ALIGNMENT
from guestmap.domain.xml.memory import DIMM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.tree import Element

_PROGRAM = "guestmap"
_MACHINES = ("pc-i440fx-7.2", "pc", "")
_LACKING = ("disk", "channel", "interface", "hostdev", "video", "controller")


def is_own(found: Definition) -> bool:
    """Tell whether a definition's emulator is guestmap."""
    return Path(found.emulator).name == _PROGRAM


def own_command_line(found: Definition, monitor: str, memory: str) -> list[str]:
    """Return the command line of a machine of ours, stopped at its start.

    Args:
        found: the definition, its memory devices with aliases and addresses.
        monitor: the path of its monitor.
        memory: where files are made that are its memory.

    Raises:
        DomainError: it has what our machine lacks; names it.
    """
    _refuse_lacking(found)
    sizes = f"{found.initial}k"
    if found.max_memory is not None:
        sizes += f",slots={found.slots},maxmem={found.max_memory}k"
    words = [found.emulator, "boot", "-q", "-S", "--qmp", f"unix:{monitor}", "-m", sizes]
    for cell in found.cells:
        name = f"ram-node{cell.id}"
        words += ["--object", _keyval(cell_backend(found, cell, memory))]
        words += ["--numa", f"node,nodeid={cell.id},memdev={name}"]
    for path, option in (("kernel", "--kernel"), ("initrd", "--initrd"), ("cmdline", "--append")):
        value = found.root.value(f"os/{path}")
        if value:
            words += [option, value]
    for each in found.devices:
        words += ["--object", _keyval(device_backend(found, each, ALIGNMENT, memory))]
        words += ["--device", _keyval(device_props(each, None))]
    return [*words, *_serial(found), *user_arguments(found)]


def _serial(found: Definition) -> Iterator[str]:
    for each in found.root.every("devices/serial"):
        source = each.find("source")
        path = source.get("path") if source is not None else None
        if each.get("type") not in {"file", "unix"} or path is None:
            raise _refusal(each, "a serial port that is no file and no socket")
        yield from ("--serial", path if each.get("type") == "file" else f"unix:{path}")


def _refuse_lacking(found: Definition) -> None:
    if found.machine not in _MACHINES:
        raise _refusal(found.root.find("os/type"), f"a machine of type {found.machine}")
    if found.kind == "kvm":
        raise _refusal(found.root, "KVM")
    for name in _LACKING:
        for each in found.root.every(f"devices/{name}"):
            if each.get("model") != "none":
                raise _refusal(each, f"<{name}>")
    for device, element in zip(found.devices, found.elements, strict=True):
        if device.model != DIMM:
            raise _refusal(element, f"a {device.model} device")


def _refusal(element: Element | None, what: str) -> DomainError:
    return DomainError(
        CONFIG_UNSUPPORTED,
        f"guestmap's own machine has not {what}",
        domain=10,
        speaker=Speaker.OURS,
        remedy="leave it out, or name a QEMU as <emulator>",
        at=element,
    )


def _keyval(members: dict[str, object]) -> str:
    """Return members as ``-object`` takes them; the type comes first without a name."""
    (_, first), *rest = members.items()
    words = [str(first)]
    for name, value in rest:
        if isinstance(value, bool):
            value = "on" if value else "off"
        words.append(f"{name}={str(value).replace(',', ',,')}")
    return ",".join(words)
