"""A ``<domain>``: what of it decides about memory, and the bytes that it was read from."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from guestmap.domain.rules.errors import DomainError, Speaker, refusal
from guestmap.domain.rules.texts import CONFIG_UNSUPPORTED, LibvirtDialect
from guestmap.domain.xml.backing import Backing, backing_of
from guestmap.domain.xml.fields import (
    Cell,
    cell_of,
    kind_of,
    lacking,
    name_of,
    slots_of,
    uuid_of,
    vcpus_of,
)
from guestmap.domain.xml.memory import SLOTTED, MemoryDef, parse_memory
from guestmap.domain.xml.numbers import scaled_kib
from guestmap.domain.xml.tree import read_xml

if TYPE_CHECKING:
    from guestmap.domain.xml.tree import Element

QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"
MOST_SLOTS = 256
"""ACPI slots that QEMU makes (hw/acpi/memory_hotplug, ACPI_MAX_RAM_SLOTS)."""


class Definition(msgspec.Struct, frozen=True, dict=True):
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
        found = (each.get("name") for each in self.root.every("devices/*/alias"))
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


def definition_of(data: bytes, root: Element, dialect: LibvirtDialect) -> Definition:
    """Return a domain out of the element ``<domain>`` of a document.

    Args:
        data: the document.
        root: the element.
        dialect: which libvirt's rules.

    Raises:
        DomainError: as :func:`parse_definition`.
    """
    if root.name != "domain":
        raise refusal(dialect, "not-domain", name=root.name, at=root, remedy="give a <domain>")
    cells = tuple(cell_of(each, number, dialect) for number, each in
                  enumerate(root.every("cpu/numa/cell")))  # fmt: skip
    devices = tuple(parse_memory(each, dialect) for each in root.every("devices/memory"))
    total, current = _sizes(root, dialect, cells, devices)
    limit = root.find("maxMemory")
    type_ = root.find("os/type")
    found = Definition(
        data=data,
        root=root,
        dialect=dialect,
        name=name_of(root, dialect),
        uuid=uuid_of(root, dialect),
        kind=kind_of(root),
        machine=(type_.get("machine") or "") if type_ is not None else "",
        emulator=root.value("devices/emulator") or "",
        total=total,
        current=current,
        max_memory=scaled_kib(root, "maxMemory", dialect),
        slots=slots_of(limit, dialect),
        cells=cells,
        vcpus=vcpus_of(root, dialect),
        acpi=root.find("features/acpi") is not None,
        backing=backing_of(root, len(cells), dialect),
        devices=devices,
    )
    _check(found)
    return found


def redefined(
    found: Definition, data: bytes, root: Element, devices: tuple[MemoryDef, ...]
) -> Definition:
    """Return a domain with other devices and sizes, in whose document nothing else changed.

    Args:
        found: the domain before.
        data: the document now.
        root: its ``<domain>``.
        devices: the memory devices that are in it.

    Raises:
        DomainError: as :func:`parse_definition`.
    """
    total, current = _sizes(root, found.dialect, found.cells, devices)
    now = replace(found, data=data, root=root, devices=devices, total=total, current=current)
    _check(now)
    return now


def _sizes(
    root: Element, dialect: LibvirtDialect, cells: tuple[Cell, ...], devices: tuple[MemoryDef, ...]
) -> tuple[int, int]:
    """Return ``<memory>`` and ``<currentMemory>`` as they count: cells and devices are the sum."""
    total = scaled_kib(root, "memory", dialect)
    if cells:
        total = sum(cell.memory for cell in cells) + sum(each.size for each in devices)
    if total is None:
        raise lacking(root, "memory", "say how much RAM: <memory unit='MiB'>512</memory>")
    current = scaled_kib(root, "currentMemory", dialect)
    return total, total if current is None else min(current, total)


def _check(found: Definition) -> None:
    """Hold a domain to libvirt's rules of memory."""
    root, dialect = found.root, found.dialect
    if root.find("os/type") is None:
        raise refusal(dialect, "no-os", at=root, remedy="add <os><type>hvm</type></os>")
    if root.find("devices") is None:
        raise lacking(root, "devices", "add <devices></devices>")
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
