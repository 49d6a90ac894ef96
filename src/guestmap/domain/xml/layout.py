"""Elements that are to be written: their bytes, and what reading those would give."""

from __future__ import annotations

import re
from typing import NamedTuple
from xml.sax.saxutils import escape

from guestmap.domain.xml.tree import Element

_PLAIN = re.compile(r"[\w.:/-]*", re.ASCII)
"""Values with nothing in them that must be escaped: nearly all."""
_IN_TEXT = {"\r": "&#13;"}
_IN_QUOTES = {"'": "&apos;", '"': "&quot;", "\n": "&#10;", "\t": "&#9;", **_IN_TEXT}
"""What a reader would take for something else, besides ``&``, ``<`` and ``>``."""
_STEP = b"  "


class Tag(NamedTuple):
    """One element: its name, its attributes, and the text or the elements in it."""

    name: str
    attributes: dict[str, str]
    content: str | list[Tag] = ""


def laid(tag: Tag, indent: bytes = b"", start: int = 0, line: int = 1) -> tuple[bytes, Element]:
    """Return an element as bytes, its children on lines of their own, and as it is read again.

    Args:
        tag: the element.
        indent: blanks before it on its line; they are not among the bytes.
        start: the place of its first byte in the document.
        line: its line there.
    """
    words = "".join(f" {name}={_quoted(value)}" for name, value in tag.attributes.items())
    head = f"<{tag.name}{words}".encode()
    if not tag.content:
        end = start + len(head) + 2
        return head + b"/>", Element(
            tag.name, tag.attributes, line, start, end, end, end, is_closed=True
        )
    inner = start + len(head) + 1
    text, children = "", list[Element]()
    foot = f"</{tag.name}>".encode()
    if isinstance(tag.content, str):
        middle = _escaped(tag.content, _IN_TEXT).encode()
        text = tag.content
    else:
        middle, children = _between(tag.content, indent, inner, line)
    inner_end = inner + len(middle)
    made = Element(
        tag.name, tag.attributes, line, start, inner_end + len(foot), inner, inner_end,
        text=text, children=children,
    )  # fmt: skip
    return b"".join((head, b">", middle, foot)), made


def _between(tags: list[Tag], indent: bytes, place: int, line: int) -> tuple[bytes, list[Element]]:
    """Return what is between two tags, from behind the first one to before the last one."""
    deeper = b"\n" + indent + _STEP
    parts, children = list[bytes](), list[Element]()
    for each in tags:
        line += 1
        place += len(deeper)
        data, element = laid(each, indent + _STEP, place, line)
        parts += (deeper, data)
        children.append(element)
        place += len(data)
        line += data.count(b"\n")
    return b"".join((*parts, b"\n", indent)), children


def _quoted(text: str) -> str:
    """Return an attribute's value in single quotes, as libvirt writes it."""
    return f"'{_escaped(text, _IN_QUOTES)}'"


def _escaped(text: str, more: dict[str, str]) -> str:
    return text if _PLAIN.fullmatch(text) else escape(text, more)
