"""A ``<domain>``: what of it decides about memory, and the bytes that it was read from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from guestmap.domain.rules.errors import DomainError, Speaker, refusal
from guestmap.domain.rules.texts import (
    CONFIG_UNSUPPORTED,
    XML_ERROR,
    LibvirtDialect,
)
from guestmap.domain.xml.backing import Backing, backing_of
from guestmap.domain.xml.memory import SLOTTED, MemoryDef, choice, parse_memory
from guestmap.domain.xml.numbers import kib_of, scaled_kib, unsigned
from guestmap.domain.xml.tree import read_xml

if TYPE_CHECKING:
    from guestmap.domain.xml.tree import Element

NAME = re.compile(r"[^/\x00-\x1f\x7f.][^/\x00-\x1f\x7f]{0,199}")
"""Names that a file can have, too."""
UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"
MOST_SLOTS = 256
"""ACPI slots that QEMU makes (hw/acpi/memory_hotplug, ACPI_MAX_RAM_SLOTS)."""
_TYPES = ("qemu", "kvm")


@dataclass(frozen=True, slots=True)
class Cell:
    """A NUMA node of the guest: its number, its vCPUs as written, its memory in KiB.

    Attributes:
        access, discard: of that memory, as written (``memAccess``, ``discard``); None: not said.
    """

    id: int
    cpus: str
    memory: int
    access: str | None = None
    discard: bool | None = None


@dataclass(frozen=True)
class Definition:
    """One domain, as a document says it; sizes in KiB.

    Attributes:
        data: the document. root: its ``<domain>``.
        dialect: which libvirt's rules it was read by.
        name, uuid: of the domain; no uuid: none was given.
        kind: ``qemu`` (TCG) or ``kvm``.
        machine, emulator: as written; "" where they are not.
        total, current: ``<memory>`` and ``<currentMemory>``.
        max_memory, slots: of ``<maxMemory>``; None and 0 where there is none.
        cells: the guest's NUMA nodes.
        vcpus: how many.
        acpi: whether ``<acpi/>`` is among the features.
        backing: where its memory comes from on the host.
        devices: the memory devices, in order.
    """

    data: bytes
    root: Element
    dialect: LibvirtDialect
    name: str
    uuid: str | None
    kind: str
    machine: str
    emulator: str
    total: int
    current: int
    max_memory: int | None
    slots: int
    cells: tuple[Cell, ...]
    vcpus: int
    acpi: bool
    backing: Backing
    devices: tuple[MemoryDef, ...]

    @cached_property
    def elements(self) -> tuple[Element, ...]:
        """The elements of the memory devices, in order."""
        return tuple(self.root.every("devices/memory"))

    @property
    def plugged(self) -> int:
        """KiB of all memory devices."""
        return sum(each.size for each in self.devices)

    @property
    def initial(self) -> int:
        """KiB of RAM that are there without memory devices."""
        if self.cells:
            return sum(cell.memory for cell in self.cells)
        return max(0, self.total - self.plugged)

    @property
    def slotted(self) -> tuple[MemoryDef, ...]:
        """The memory devices that take a slot."""
        return tuple(each for each in self.devices if each.model in SLOTTED)

    @cached_property
    def aliases(self) -> frozenset[str]:
        """Names of devices that are taken."""
        found = (each.get("name") for each in self.root.every("devices/*"))
        own = (each.alias for each in self.devices)
        return frozenset(name for name in (*found, *own) if name)


def parse_definition(
    data: bytes, dialect: LibvirtDialect, *, what: str = "domain_definition"
) -> Definition:
    """Return a domain, checked.

    Args:
        data: the document.
        dialect: which libvirt's rules.
        what: what to call the document.

    Raises:
        DomainError: it cannot be a domain; names the element and its line.
    """
    return definition_of(data, read_xml(data, what, dialect), dialect)


def definition_of(
    data: bytes,
    root: Element,
    dialect: LibvirtDialect,
    devices: tuple[MemoryDef, ...] | None = None,
) -> Definition:
    """Return a domain out of the element ``<domain>`` of a document.

    Args:
        data: the document.
        root: the element.
        dialect: which libvirt's rules.
        devices: the memory devices that are in it, where they are known.

    Raises:
        DomainError: as :func:`parse_definition`.
    """
    if root.name != "domain":
        raise refusal(dialect, "not-domain", name=root.name, at=root, remedy="give a <domain>")
    cells = tuple(_cell(each, number, dialect) for number, each in
                  enumerate(root.every("cpu/numa/cell")))  # fmt: skip
    if devices is None:
        devices = tuple(parse_memory(each, dialect) for each in root.every("devices/memory"))
    plugged = sum(each.size for each in devices)
    total = scaled_kib(root, "memory", dialect)
    if cells:
        total = sum(cell.memory for cell in cells) + plugged
    if total is None:
        raise _lacking(root, "memory", "say how much RAM: <memory unit='MiB'>512</memory>")
    current = scaled_kib(root, "currentMemory", dialect)
    limit = root.find("maxMemory")
    type_ = root.find("os/type")
    found = Definition(
        data=data,
        root=root,
        dialect=dialect,
        name=_name(root, dialect),
        uuid=_uuid(root, dialect),
        kind=_kind(root),
        machine=(type_.get("machine") or "") if type_ is not None else "",
        emulator=root.value("devices/emulator") or "",
        total=total,
        current=total if current is None else min(current, total),
        max_memory=scaled_kib(root, "maxMemory", dialect),
        slots=_slots(limit, dialect),
        cells=cells,
        vcpus=_vcpus(root, dialect),
        acpi=root.find("features/acpi") is not None,
        backing=backing_of(root, len(cells), dialect),
        devices=devices,
    )
    _check(found)
    return found


def _check(found: Definition) -> None:
    """Hold a domain to libvirt's rules of memory."""
    root, dialect = found.root, found.dialect
    if root.find("os/type") is None:
        raise refusal(dialect, "no-os", at=root, remedy="add <os><type>hvm</type></os>")
    if root.find("devices") is None:
        raise _lacking(root, "devices", "add <devices></devices>")
    limit = root.find("maxMemory")
    if limit is None:
        if found.devices:
            raise refusal(dialect, "no-max", at=found.elements[0],
                          remedy="add <maxMemory slots='16' unit='GiB'>8</maxMemory>")  # fmt: skip
        return
    if not found.max_memory and found.slots:
        raise refusal(dialect, "max-zero", at=limit, remedy="say how much: <maxMemory unit='GiB'>")
    if dialect is LibvirtDialect.V9 and not found.slots:
        raise refusal(dialect, "no-slots", at=limit, remedy="write slots='16'")
    if dialect is LibvirtDialect.V9 and not found.cells:
        raise refusal(
            dialect, "no-numa", at=limit, remedy="add <cpu><numa><cell .../></numa></cpu>"
        )
    if found.slots > MOST_SLOTS:
        raise DomainError(
            CONFIG_UNSUPPORTED,
            f"unsupported amount of memory slots: {found.slots}",
            domain=10,
            speaker=Speaker.OURS,
            remedy=f"QEMU takes {MOST_SLOTS} at most",
            at=limit,
        )
    if found.max_memory is not None and found.max_memory < found.total:
        raise refusal(dialect, "max-small", at=limit, remedy=f"give at least {found.total} KiB")


def _slots(limit: Element | None, dialect: LibvirtDialect) -> int:
    try:
        return 0 if limit is None else unsigned(limit, "slots", dialect) or 0
    except DomainError as error:
        raise refusal(dialect, "no-slot-count", at=limit, remedy="write slots='16'") from error


def _name(root: Element, dialect: LibvirtDialect) -> str:
    name = root.value("name")
    if not name:
        raise refusal(dialect, "no-name", at=root, remedy="give it a <name>")
    if not NAME.fullmatch(name) or len(name.encode()) > 200:
        raise DomainError(
            XML_ERROR,
            f"name {name} cannot contain '/', begin with '.', or be longer than 200 bytes",
            at=root.find("name"),
            remedy="choose another name",
        )
    return name


def _uuid(root: Element, dialect: LibvirtDialect) -> str | None:
    text = root.value("uuid")
    if text is None:
        return None
    plain = text.replace("-", "").lower()
    if not re.fullmatch(r"[0-9a-f]{32}", plain):
        raise refusal(dialect, "bad-uuid", at=root.find("uuid"), remedy="leave it out")
    return f"{plain[:8]}-{plain[8:12]}-{plain[12:16]}-{plain[16:20]}-{plain[20:]}"


def _kind(root: Element) -> str:
    kind = root.get("type")
    if kind not in _TYPES:
        raise DomainError(
            XML_ERROR,
            f"domain type {kind!r} is not one that is run here",
            at=root,
            speaker=Speaker.OURS,
            remedy=f"write type='{_TYPES[0]}' or type='{_TYPES[1]}'",
        )
    return kind


def _cell(element: Element, number: int, dialect: LibvirtDialect) -> Cell:
    memory = element.get("memory")
    if memory is None:
        raise refusal(dialect, "no-cell-memory", at=element, remedy="say how much: memory=")
    size = kib_of(memory, element.get("unit"), "memory", dialect, element)
    told = unsigned(element, "id", dialect)
    access = choice(element, "memAccess", ("shared", "private"), dialect)
    discard = choice(element, "discard", ("yes", "no"), dialect)
    return Cell(
        number if told is None else told, element.get("cpus") or "", size, access,
        None if discard is None else discard == "yes",
    )  # fmt: skip


def _vcpus(root: Element, dialect: LibvirtDialect) -> int:
    found = root.find("vcpu")
    if found is None:
        return 1
    text = found.text.strip()
    if not re.fullmatch(r"[1-9]\d{0,3}", text, re.ASCII):
        raise refusal(dialect, "bad-size", value=text, name="vcpu", at=found)
    return int(text)


def _lacking(root: Element, path: str, remedy: str) -> DomainError:
    return DomainError(
        XML_ERROR,
        f"missing element <{path.replace('/', '><')}> in <domain>",
        at=root,
        remedy=remedy,
    )
