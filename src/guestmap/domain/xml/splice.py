"""Editing a document: bytes for bytes, and nothing else."""

from __future__ import annotations

from xml.sax.saxutils import escape

import msgspec

from guestmap.domain.xml.layout import Tag, laid
from guestmap.domain.xml.tree import Element


class Splice(msgspec.Struct, frozen=True):
    """Bytes that take the place of others; an insertion where both places are one.

    Attributes:
        start, end: what is replaced. text: by what.
        element: the one element in the text, as reading the text alone gives it, where that is
            known beforehand.
    """

    start: int
    end: int
    text: bytes
    element: Element | None = None


def spliced(data: bytes, splices: list[Splice]) -> bytes:
    """Return a document with edits that do not overlap; those at one place keep their order."""
    parts, place = [], 0
    for each in sorted(splices, key=lambda splice: splice.start):
        parts += [data[place : each.start], each.text]
        place = each.end
    return b"".join([*parts, data[place:]])


def indent_of(data: bytes, element: Element) -> str:
    """Return the blanks before an element on its line; "" where something else is there."""
    line = data.rfind(b"\n", 0, element.start) + 1
    before = data[line : element.start]
    return before.decode() if not before.strip() else ""


def set_text(element: Element, text: str) -> Splice:
    """Replace what is in an element by text."""
    content = escape(text).encode()
    return Splice(element.inner_start, element.inner_end, content)


def replace(element: Element, text: str) -> Splice:
    """Replace an element, tags and all."""
    return Splice(element.start, element.end, text.encode())


def removal(data: bytes, element: Element) -> Splice:
    """Remove an element, with its line where nothing else is on it."""
    start, end = element.start, element.end
    line = data.rfind(b"\n", 0, start) + 1
    after = data.find(b"\n", end)
    is_alone = not data[line:start].strip() and after >= 0 and not data[end:after].strip()
    return Splice(line, after + 1, b"") if is_alone else Splice(start, end, b"")


def append(data: bytes, parent: Element, text: str) -> Splice:
    """Insert an element as the last one in another, on lines of its own.

    Args:
        data: the document.
        parent: is not closed (``<a/>``); see :func:`opened`.
        text: the element, not indented.
    """
    place, before, indent, after = _last_line(data, parent)
    body = (b"\n" + indent).join(text.rstrip("\n").encode().split(b"\n"))
    return Splice(place, place, before + indent + body + b"\n" + after)


def append_tag(data: bytes, parent: Element, tag: Tag) -> Splice:
    """Insert an element that is to be written; arguments as of :func:`append`."""
    place, before, indent, after = _last_line(data, parent)
    first = before + indent
    body, element = laid(tag, indent, len(first), 1 + before.count(b"\n"))
    return Splice(place, place, first + body + b"\n" + after, element)


def _last_line(data: bytes, parent: Element) -> tuple[int, bytes, bytes, bytes]:
    """Return the place of a line more in an element, what comes before it, its blanks, the rest."""
    outer = indent_of(data, parent)
    indent = (outer + _step(data, parent, outer)).encode()
    last = parent.children[-1].end if parent.children else parent.inner_start
    rest = data[last : parent.inner_end]
    if b"\n" in rest and not rest[rest.rindex(b"\n") :].strip():
        return last + rest.rindex(b"\n") + 1, b"", indent, b""
    return parent.inner_end, b"\n", indent, outer.encode()


def opened(data: bytes, element: Element, inner: str) -> Splice:
    """Replace ``<a/>`` by ``<a>`` with something in it."""
    tag = data[element.start : element.end].rstrip(b"/>").rstrip()
    name = tag[1:].split(None, 1)[0].decode()
    outer = indent_of(data, element)
    body = "".join(f"{outer}  {line}\n" for line in inner.splitlines())
    return Splice(element.start, element.end, tag + f">\n{body}{outer}</{name}>".encode())


def _step(data: bytes, parent: Element, outer: str) -> str:
    """Return by how much a parent's children are indented."""
    if parent.children:
        inner = indent_of(data, parent.children[0])
        if inner.startswith(outer) and len(inner) > len(outer):
            return inner[len(outer) :]
    return "  "
