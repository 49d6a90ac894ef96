"""A ``<memory>`` device of a domain, read (domain XML format, "Memory devices")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from guestmap.domain.rules.errors import refusal
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.xml.numbers import number_set, scaled_kib, unsigned

if TYPE_CHECKING:
    from guestmap.domain.xml.tree import Element

DIMM, NVDIMM, VIRTIO_MEM, VIRTIO_PMEM = "dimm", "nvdimm", "virtio-mem", "virtio-pmem"
MODELS = (DIMM, NVDIMM, VIRTIO_MEM, VIRTIO_PMEM)
SLOTTED = frozenset({DIMM, NVDIMM})
"""Models that sit in an ACPI slot; the others are PCI functions."""
DRIVERS = {
    DIMM: "pc-dimm", NVDIMM: "nvdimm", VIRTIO_MEM: "virtio-mem-pci", VIRTIO_PMEM: "virtio-pmem-pci",
}  # fmt: skip
_ADDRESS_TYPES = {"dimm", "pci", "ccw", "isa", "drive", "usb", "spapr-vio", "virtio-mmio"}
_USER_ALIAS = re.compile(r"ua-[A-Za-z0-9_-]+")


class DimmAddress(msgspec.Struct, frozen=True):
    """``<address type='dimm'>``: the ACPI slot, and the guest-physical address if it is known."""

    slot: int
    base: int | None = None


class PciAddress(msgspec.Struct, frozen=True):
    """``<address type='pci'>``."""

    bus: int
    slot: int
    function: int = 0
    domain: int = 0


class MemoryDef(msgspec.Struct, frozen=True):
    """One memory device; sizes in KiB.

    Attributes:
        model: one of :data:`MODELS`.
        access, discard: as written; None: not said.
        path, pmem, alignsize: of an nvdimm's (or virtio-pmem's) backing file.
        pagesize: of the host's pages. nodemask: the host's nodes.
        size, node: what the guest gets, and in which of its nodes.
        label, readonly: of an nvdimm.
        block, requested, current, dynamic_slots: of virtio-mem.
        base: guest-physical address of virtio-mem and virtio-pmem.
        alias: the device's id in QEMU.
    """

    model: str
    size: int
    node: int | None = None
    access: str | None = None
    discard: bool | None = None
    path: str | None = None
    pmem: bool = False
    alignsize: int | None = None
    pagesize: int | None = None
    nodemask: tuple[int, ...] = ()
    label: int | None = None
    readonly: bool = False
    block: int | None = None
    requested: int | None = None
    current: int | None = None
    dynamic_slots: bool = False
    base: int | None = None
    alias: str | None = None
    address: DimmAddress | PciAddress | None = None

    @property
    def slot(self) -> int | None:
        """The ACPI slot."""
        return self.address.slot if isinstance(self.address, DimmAddress) else None

    @property
    def place(self) -> int | None:
        """The guest-physical address, where it is known."""
        return self.address.base if isinstance(self.address, DimmAddress) else self.base

    @property
    def has_own_alias(self) -> bool:
        """Whether the alias is the user's, who may choose those of the form ``ua-NAME``."""
        return self.alias is not None and self.alias.startswith("ua-")


def parse_memory(element: Element, dialect: LibvirtDialect) -> MemoryDef:
    """Return a memory device; what is not known of it is passed over, as libvirt does.

    Raises:
        DomainError: something in it is missing, or has no meaning.
    """
    model = choice(element, "model", MODELS, dialect, required=True)
    access = choice(element, "access", ("shared", "private"), dialect)
    discard = choice(element, "discard", ("yes", "no"), dialect)
    target = element.find("target")
    if target is None:
        raise refusal(dialect, "no-target", at=element, remedy="add <target> with a <size>")
    size = scaled_kib(target, "size", dialect)
    if size is None:
        raise refusal(dialect, "no-size", name="size", at=target, remedy="add <size unit='MiB'>")
    alias = element.find("alias")
    name = alias.get("name") if alias is not None else None
    return MemoryDef(
        model=model or DIMM,
        size=size,
        node=_node(target, dialect),
        access=access,
        discard=None if discard is None else discard == "yes",
        **_source(element.find("source"), model or DIMM, dialect, element),
        **_of_model(target, model or DIMM, dialect),
        alias=name,
        address=_address(element, dialect),
    )


def without_foreign_alias(device: MemoryDef) -> MemoryDef:
    """Return a device that a user gave, without an alias that is not a user's to choose."""
    if device.alias is not None and not _USER_ALIAS.fullmatch(device.alias):
        return replace(device, alias=None)
    return device


def choice(
    element: Element,
    attribute: str,
    known: tuple[str, ...],
    dialect: LibvirtDialect,
    *,
    required: bool = False,
) -> str | None:
    """Return an attribute that is one of a few words; None where it is not there.

    Raises:
        DomainError: it is another word, or not there and required.
    """
    value = element.get(attribute)
    if value is None and not required:
        return None
    remedy = f"write one of {', '.join(known)}"
    if value is None:
        raise refusal(
            dialect, "no-model", attribute=attribute, element=element.name, at=element,
            remedy=remedy,
        )  # fmt: skip
    if value not in known:
        raise refusal(
            dialect, "bad-value", attribute=attribute, element=element.name, value=value,
            at=element, remedy=remedy,
        )  # fmt: skip
    return value


def _node(target: Element, dialect: LibvirtDialect) -> int | None:
    text = target.value("node")
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise refusal(dialect, "bad-node", at=target.find("node"), remedy="write a number")
    return int(text)


def _of_model(target: Element, model: str, dialect: LibvirtDialect) -> dict[str, Any]:
    """Return what devices of one model alone have; of others it is passed over."""
    if model == NVDIMM:
        label = target.find("label")
        return {
            "label": None if label is None else scaled_kib(label, "size", dialect),
            "readonly": target.find("readonly") is not None,
        }
    found: dict[str, Any] = {}
    if model == VIRTIO_MEM:
        found = {name: scaled_kib(target, name, dialect)
                 for name in ("block", "requested", "current")}  # fmt: skip
        found["requested"] = found["requested"] or 0
    place = target.find("address")
    if model in {VIRTIO_MEM, VIRTIO_PMEM} and dialect is LibvirtDialect.V12:  # 9.0 has none
        found["dynamic_slots"] = target.get("dynamicMemslots") == "yes"
        found["base"] = None if place is None else unsigned(place, "base", dialect, base=16)
    return found


def _source(
    source: Element | None, model: str, dialect: LibvirtDialect, element: Element
) -> dict[str, Any]:
    path = source.value("path") if source is not None else None
    if model in {NVDIMM, VIRTIO_PMEM}:
        if not path:
            raise refusal(
                dialect, "no-path", model=model, at=element,
                remedy="add <source><path>FILE</path></source>",
            )  # fmt: skip
        assert source is not None
        return {
            "path": path,
            "pmem": source.find("pmem") is not None,
            "alignsize": scaled_kib(source, "alignsize", dialect),
        }
    if source is None:
        return {}
    mask = source.value("nodemask")
    return {
        "pagesize": scaled_kib(source, "pagesize", dialect),
        "nodemask": number_set(mask, dialect) if mask else (),
    }


def _address(element: Element, dialect: LibvirtDialect) -> DimmAddress | PciAddress | None:
    found = element.find("address")
    if found is None:
        return None
    kind = found.get("type")
    if kind is None:
        raise refusal(dialect, "no-address-type", at=found, remedy="write type='dimm'")
    if kind not in _ADDRESS_TYPES:
        raise refusal(dialect, "address-type", value=kind, at=found, remedy="write type='dimm'")
    slot = unsigned(found, "slot", dialect, base=0 if kind == "pci" else 10)
    if kind == "dimm":
        if slot is None:
            raise refusal(dialect, "no-model", attribute="slot", element="address", at=found)
        return DimmAddress(slot, unsigned(found, "base", dialect, base=16))
    bus = unsigned(found, "bus", dialect, base=0)
    function = unsigned(found, "function", dialect, base=0)
    return PciAddress(bus or 0, slot or 0, function or 0)
