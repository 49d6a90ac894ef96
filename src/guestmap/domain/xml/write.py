"""Memory devices as libvirt writes them: sizes in KiB, elements in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from guestmap.domain.xml.memory import DimmAddress
from guestmap.domain.xml.numbers import ranges_text

if TYPE_CHECKING:
    from guestmap.domain.xml.memory import MemoryDef, PciAddress


_SHARED = " multifunction='on'"


def memory_xml(device: MemoryDef, *, live: bool) -> str:
    """Return a memory device, lines indented by two from column 0.

    Args:
        device: the device.
        live: with what belongs to a running machine alone: the alias, what virtio-mem has now.
    """
    words = [f"model='{device.model}'"]
    if device.access is not None:
        words.append(f"access='{device.access}'")
    if device.discard is not None:
        words.append(f"discard='{'yes' if device.discard else 'no'}'")
    lines = [f"<memory {' '.join(words)}>", *_source(device), *_target(device, live=live)]
    if device.alias is not None and (live or device.has_own_alias):
        lines.append(f"  <alias name={_quoted(device.alias)}/>")
    if device.address is not None:
        lines.append(f"  {address_xml(device.address)}")
    return "\n".join([*lines, "</memory>"]) + "\n"


def _source(device: MemoryDef) -> list[str]:
    lines = []
    if device.nodemask:
        lines.append(f"    <nodemask>{ranges_text(device.nodemask)}</nodemask>")
    if device.pagesize is not None:
        lines.append(f"    <pagesize unit='KiB'>{device.pagesize}</pagesize>")
    if device.path is not None:
        lines.append(f"    <path>{escape(device.path)}</path>")
    if device.alignsize is not None:
        lines.append(f"    <alignsize unit='KiB'>{device.alignsize}</alignsize>")
    if device.pmem:
        lines.append("    <pmem/>")
    return ["  <source>", *lines, "  </source>"] if lines else []


def _target(device: MemoryDef, *, live: bool) -> list[str]:
    dynamic = " dynamicMemslots='yes'" if device.dynamic_slots else ""
    lines = [f"  <target{dynamic}>", f"    <size unit='KiB'>{device.size}</size>"]
    if device.node is not None:
        lines.append(f"    <node>{device.node}</node>")
    if device.label is not None:
        lines += ["    <label>", f"      <size unit='KiB'>{device.label}</size>", "    </label>"]
    if device.readonly:
        lines.append("    <readonly/>")
    sizes = {"block": device.block, "requested": device.requested}
    if live:
        sizes["current"] = device.current
    lines += [f"    <{n} unit='KiB'>{size}</{n}>" for n, size in sizes.items() if size is not None]
    if device.base is not None:
        lines.append(f"    <address base='{device.base:#x}'/>")
    return [*lines, "  </target>"]


def address_xml(address: DimmAddress | PciAddress, *, shared: bool = False) -> str:
    """Return where a device is, as an element; ``shared``: its slot has other functions, too."""
    if isinstance(address, DimmAddress):
        base = "" if address.base is None else f" base='{address.base:#x}'"
        return f"<address type='dimm' slot='{address.slot}'{base}/>"
    return (
        f"<address type='pci' domain='{address.domain:#06x}' bus='{address.bus:#04x}'"
        f" slot='{address.slot:#04x}' function='{address.function:#x}'"
        f"{_SHARED if shared else ''}/>"
    )


def _quoted(text: str) -> str:
    """Return an attribute's value in single quotes where it has none, as libvirt writes it."""
    if "'" in text:
        return quoteattr(text)
    return "'" + quoteattr(text.replace('"', ""))[1:-1] + "'"
