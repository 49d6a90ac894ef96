"""Memory devices as libvirt writes them: sizes in KiB, elements in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from guestmap.domain.xml.layout import Tag, laid
from guestmap.domain.xml.memory import DimmAddress
from guestmap.domain.xml.numbers import ranges_text

if TYPE_CHECKING:
    from guestmap.domain.xml.memory import MemoryDef, PciAddress


def memory_xml(device: MemoryDef, *, live: bool) -> str:
    """Return a memory device, lines indented by two from column 0; arguments as below."""
    return laid(memory_tag(device, live=live))[0].decode() + "\n"


def memory_tag(device: MemoryDef, *, live: bool) -> Tag:
    """Return a memory device as an element.

    Args:
        device: the device.
        live: with what belongs to a running machine alone: the alias, what virtio-mem has now.
    """
    words = {"model": device.model}
    if device.access is not None:
        words["access"] = device.access
    if device.discard is not None:
        words["discard"] = "yes" if device.discard else "no"
    written = as_written(device, live=live)
    content = [*_source(written), _target(written)]
    if written.alias is not None:
        content.append(Tag("alias", {"name": written.alias}))
    if written.address is not None:
        content.append(address_tag(written.address))
    return Tag("memory", words, content)


def as_written(device: MemoryDef, *, live: bool) -> MemoryDef:
    """Return a device as it is read out of what :func:`memory_tag` makes of it."""
    if live:
        return device
    return replace(device, alias=device.alias if device.has_own_alias else None, current=None)


def address_xml(address: DimmAddress | PciAddress, *, shared: bool = False) -> str:
    """Return where a device is, as text; arguments as below."""
    return laid(address_tag(address, shared=shared))[0].decode()


def address_tag(address: DimmAddress | PciAddress, *, shared: bool = False) -> Tag:
    """Return where a device is, as an element; ``shared``: its slot has other functions, too."""
    if isinstance(address, DimmAddress):
        words = {"type": "dimm", "slot": str(address.slot)}
        if address.base is not None:
            words["base"] = f"{address.base:#x}"
        return Tag("address", words)
    words = {
        "type": "pci", "domain": f"{address.domain:#06x}", "bus": f"{address.bus:#04x}",
        "slot": f"{address.slot:#04x}", "function": f"{address.function:#x}",
    }  # fmt: skip
    return Tag("address", words | ({"multifunction": "on"} if shared else {}))


def _kib(name: str, size: int) -> Tag:
    return Tag(name, {"unit": "KiB"}, str(size))


def _source(device: MemoryDef) -> list[Tag]:
    content = []
    if device.nodemask:
        content.append(Tag("nodemask", {}, ranges_text(device.nodemask)))
    if device.pagesize is not None:
        content.append(_kib("pagesize", device.pagesize))
    if device.path is not None:
        content.append(Tag("path", {}, device.path))
    if device.alignsize is not None:
        content.append(_kib("alignsize", device.alignsize))
    if device.pmem:
        content.append(Tag("pmem", {}))
    return [Tag("source", {}, content)] if content else []


def _target(device: MemoryDef) -> Tag:
    content = [_kib("size", device.size)]
    if device.node is not None:
        content.append(Tag("node", {}, str(device.node)))
    if device.label is not None:
        content.append(Tag("label", {}, [_kib("size", device.label)]))
    if device.readonly:
        content.append(Tag("readonly", {}))
    for name, size in (
        ("block", device.block), ("requested", device.requested), ("current", device.current),
    ):  # fmt: skip
        if size is not None:
            content.append(_kib(name, size))
    if device.base is not None:
        content.append(Tag("address", {"base": f"{device.base:#x}"}))
    return Tag("target", {"dynamicMemslots": "yes"} if device.dynamic_slots else {}, content)
