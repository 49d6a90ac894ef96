"""Changes of a domain's document: a device more, a device less, another size."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace as replaced

from guestmap.domain.xml.definition import redefined
from guestmap.domain.xml.graft import edited
from guestmap.domain.xml.layout import laid
from guestmap.domain.xml.memory import parse_memory
from guestmap.domain.xml.splice import (
    Splice,
    append,
    append_tag,
    indent_of,
    opened,
    removal,
    replace,
)
from guestmap.domain.xml.tree import Element
from guestmap.domain.xml.write import address_xml, as_written, memory_tag, memory_xml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.memory import MemoryDef, PciAddress

_ID = re.compile(rb"""\sid\s*=\s*(?:"[^"]*"|'[^']*')""")
_UNIT = re.compile(rb"""\sunit\s*=\s*(?:"[^"]*"|'[^']*')""")


def with_device(found: Definition, device: MemoryDef, *, live: bool) -> Definition:
    """Return a domain with one more memory device, the last of its devices."""
    parent = found.root.find("devices")
    assert parent is not None  # a domain without is none
    if parent.is_closed:
        insert = opened(found.data, parent, memory_xml(device, live=live))
    else:
        insert = append_tag(found.data, parent, memory_tag(device, live=live))
    now = [*found.devices, as_written(device, live=live)]
    return _again(found, [insert, *_sizes(found, device.size)], now)


def without_device(found: Definition, index: int) -> Definition:
    """Return a domain without the memory device of that index."""
    gone = removal(found.data, found.elements[index])
    left = [*found.devices[:index], *found.devices[index + 1 :]]
    return _again(found, [gone, *_sizes(found, -found.devices[index].size)], left)


def without_alias(found: Definition, alias: str) -> Definition:
    """Return a domain without the memory device of a name; the same where it has none."""
    for index, device in enumerate(found.devices):
        if device.alias == alias:
            return without_device(found, index)
    return found


def with_devices(found: Definition, changed: Mapping[int, MemoryDef], *, live: bool) -> Definition:
    """Return a domain with other memory devices in the places of some; no size changes."""
    splices: list[Splice] = []
    devices = list(found.devices)
    for index, device in changed.items():
        element = found.elements[index]
        indent = indent_of(found.data, element).encode()
        text, known = laid(memory_tag(device, live=live), indent)
        splices.append(Splice(element.start, element.end, text, known))
        devices[index] = as_written(device, live=live)
    return _again(found, splices, devices) if splices else found


def with_addresses(found: Definition, placed: Sequence[tuple[Element, PciAddress]]) -> Definition:
    """Return a domain whose devices, those of the elements, say where they are."""
    return with_content(found, [(element, f"{address_xml(place)}\n") for element, place in placed])


def with_content(
    found: Definition,
    content: Sequence[tuple[Element, str]],
    instead: Sequence[tuple[Element, str]] = (),
) -> Definition:
    """Return a domain with more in some elements, behind what is there, and others instead of some.

    Args:
        found: the domain; of its memory no size changes.
        content: elements, and what comes into them, lines from column 0.
        instead: elements, and what takes their place.
    """
    more: dict[int, tuple[Element, list[str]]] = {}
    for element, text in content:
        more.setdefault(element.start, (element, []))[1].append(text)
    splices = [
        (opened if element.is_closed else append)(found.data, element, "".join(texts))
        for element, texts in more.values()
    ]
    splices += [replace(element, text) for element, text in instead]
    devices = [None if element.start in more else device
               for element, device in zip(found.elements, found.devices, strict=True)]  # fmt: skip
    return _again(found, splices, devices) if splices else found


def with_current(found: Definition, kib: int) -> Definition:
    """Return a domain that has another ``<currentMemory>``."""
    element = found.root.find("currentMemory")
    if element is not None:
        return _again(found, [_sized(found.data, element, kib)])
    memory = found.root.find("memory")
    anchor = found.root.find("name") if memory is None else memory
    assert anchor is not None
    indent = indent_of(found.data, anchor)
    text = f"\n{indent}<currentMemory unit='KiB'>{kib}</currentMemory>"
    return _again(found, [Splice(anchor.end, anchor.end, text.encode())])


def with_uuid(found: Definition, uuid: str) -> Definition:
    """Return a domain that had no uuid with one, behind its name."""
    name = found.root.find("name")
    assert name is not None
    text = f"\n{indent_of(found.data, name)}<uuid>{uuid}</uuid>"
    return replaced(_again(found, [Splice(name.end, name.end, text.encode())]), uuid=uuid)


def _again(
    found: Definition, splices: list[Splice], devices: Sequence[MemoryDef | None] | None = None
) -> Definition:
    """Return a domain after edits of its devices and of its sizes; the rest is as it was.

    Args:
        found: the domain before.
        splices: the edits.
        devices: the memory devices then; None for one that is to be read; None: they stay.
    """
    data, root = edited(found.data, found.root, splices)
    known = found.devices if devices is None else devices
    # What is written is not all that a device is: it has to be read as anybody else reads it.
    read = tuple(
        device or parse_memory(element, found.dialect)
        for device, element in zip(known, root.every("devices/memory"), strict=True)
    )
    return redefined(found, data, root, read)


def _sizes(found: Definition, more: int) -> list[Splice]:
    """Return the edits of both totals by a number of KiB."""
    splices = []
    memory, current = found.root.find("memory"), found.root.find("currentMemory")
    if memory is not None:
        splices.append(_sized(found.data, memory, found.total + more))
    if current is not None:
        splices.append(_sized(found.data, current, max(0, found.current + more)))
    return splices


def _sized(data: bytes, element: Element, kib: int) -> Splice:
    """Replace a size; the other attributes of its element stay as they are written."""
    tag = data[element.start : element.inner_start].rstrip(b"/>").rstrip()
    if "unit" in element.attributes:
        tag = _UNIT.sub(b" unit='KiB'", tag, count=1)
    else:
        name = element.name.encode()
        tag = tag.replace(b"<" + name, b"<" + name + b" unit='KiB'", 1)
    tag += b">"
    text = tag + f"{kib}</{element.name}>".encode()
    inner_end = len(tag) + len(str(kib))
    known = Element(
        element.name, element.attributes | {"unit": "KiB"}, 1, 0, len(text), len(tag), inner_end,
        text=str(kib),
    )  # fmt: skip
    return Splice(element.start, element.end, text, known)


def with_id(found: Definition, number: int) -> Definition:
    """Return a domain with the number of the machine that runs of it."""
    root = found.root
    tag = found.data[root.start : root.inner_start]
    tag = _ID.sub(b"", tag).replace(b"<domain", f"<domain id='{number}'".encode(), 1)
    return _again(found, [Splice(root.start, root.inner_start, tag)])
