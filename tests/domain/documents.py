"""Documents for tests of the domain manager: a domain with room, and memory devices."""

from __future__ import annotations

from msgspec.structs import fields, replace

from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.xml.definition import Definition, parse_definition
from guestmap.domain.xml.memory import MemoryDef, parse_memory
from guestmap.domain.xml.tree import Element, read_xml

DOMAIN = """\
<?xml version="1.0"?>
<!-- of the test lab -->
<domain type='qemu'>
  <name>{name}</name>
  <metadata><lab:rack xmlns:lab="urn:lab"  u='7'/></metadata>
  <memory unit="MiB" dumpCore='off'>512</memory>
  <currentMemory unit='KiB'>524288</currentMemory>
  {limit}
  <vcpu  placement='static'>1</vcpu>
  <os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
  <features>
    <acpi/>
  </features>
  <cpu>{numa}</cpu>
  <devices>
    <emulator>{emulator}</emulator>
    <odd  a="&lt;&#62;"   /> <!-- stays -->
{devices}    <memballoon model='none'/>
  </devices>
</domain>
"""
LIMIT = "<maxMemory slots='4' unit='GiB'>8</maxMemory>"
NUMA = "<numa><cell id='0' cpus='0' memory='512' unit='MiB'/></numa>"
EMULATOR = "/usr/bin/qemu-system-x86_64"


def domain(
    name: str = "vm",
    *,
    devices: str = "",
    limit: str = LIMIT,
    numa: str = NUMA,
    emulator: str = EMULATOR,
) -> bytes:
    """Return a domain's document."""
    return DOMAIN.format(
        name=name, devices=devices, limit=limit, numa=numa, emulator=emulator
    ).encode()


def memory(size: str = "512", unit: str = "MiB", *, node: str = "<node>0</node>", target: str = "",
           more: str = "", model: str = "dimm", words: str = "") -> bytes:  # fmt: skip
    """Return a memory device's document."""
    return (
        f"<memory model='{model}'{words}><target><size unit='{unit}'>{size}</size>{node}{target}"
        f"</target>{more}</memory>"
    ).encode()


def definition(dialect: LibvirtDialect = LibvirtDialect.V9, **words: str) -> Definition:
    """Return a domain."""
    return parse_definition(domain(**words), dialect)


def device(data: bytes | None = None, dialect: LibvirtDialect = LibvirtDialect.V9) -> MemoryDef:
    """Return a memory device."""
    document = memory() if data is None else data
    return parse_memory(read_xml(document, "device_definition"), dialect)


def as_read(found: Definition) -> bool:
    """Tell whether a definition that was edited is the one that its document says."""
    read = parse_definition(found.data, found.dialect)
    alike(found.root, read.root)
    told = [replace(each, root=read.root) for each in (found, read)]
    return told[0] == told[1]


def alike(mine: Element, read: Element) -> None:
    """Hold an element that was edited to the one that is read, but for blanks between elements."""
    is_leaf = not read.children
    for each in fields(Element):
        if each.name == "children" or (each.name == "text" and not is_leaf):
            continue
        assert getattr(mine, each.name) == getattr(read, each.name), (each.name, read.name)
    for own, other in zip(mine.children, read.children, strict=True):
        alike(own, other)
