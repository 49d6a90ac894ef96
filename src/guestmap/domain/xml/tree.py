"""XML as elements that know which bytes of the document they are.

Expat reads it, which tells the place of every tag; so a change is a splice, and the rest of a
document stays as its author wrote it. Nothing is fetched and nothing is expanded: a document with a
DOCTYPE is refused, and size, depth and number of elements are bounded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.parsers import expat

import msgspec

from guestmap.domain.rules.errors import DomainError, refusal
from guestmap.domain.rules.texts import LibvirtDialect

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES = 4 << 20
"""Bytes of a document; libvirt's own protocol carries no longer strings (remote_protocol.x)."""
MOST_DEPTH = 256
"""Elements within elements, as libxml2 limits them."""
MOST_ELEMENTS = 100_000

_START_TAG = re.compile(rb"""<[^\s/>]+(?:\s+[^\s=]+\s*=\s*(?:"[^"]*"|'[^']*'))*\s*(/?)>""")
_ENCODING = re.compile(rb"""^<\?xml[^>]*\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_UTF8 = {b"utf-8", b"utf8", b"us-ascii", b"ascii"}


class Element(msgspec.Struct):
    """One element.

    Attributes:
        name: its local name; a foreign namespace stands before it: ``{URI}name``.
        line: where it begins, from 1.
        start, end: the bytes of the document that it is, tags included.
        inner_start, inner_end: the bytes between its tags; equal for ``<a/>``.
        is_closed: it is written ``<a/>``.
        text: the characters directly in it.
    """

    name: str
    attributes: dict[str, str]
    line: int
    start: int
    end: int = 0
    inner_start: int = 0
    inner_end: int = 0
    is_closed: bool = False
    text: str = ""
    children: list[Element] = msgspec.field(default_factory=list)

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return an attribute."""
        return self.attributes.get(name, default)

    def find(self, path: str) -> Element | None:
        """Return the first element at a path of names, ``a/b``."""
        first, _, rest = path.partition("/")
        for child in self.children:
            if child.name == first or first == "*":
                found = child.find(rest) if rest else child
                if found is not None:
                    return found
        return None

    def every(self, path: str) -> Iterator[Element]:
        """Give the elements at a path of names, in the document's order; ``*`` is any name."""
        found = [self]
        for name in path.split("/"):
            found = [child for each in found for child in each.children
                     if child.name == name or name == "*"]  # fmt: skip
        return iter(found)

    def value(self, path: str) -> str | None:
        """Return the text at a path without blanks around it; None where there is none."""
        found = self.find(path)
        return None if found is None else found.text.strip()


def moved(element: Element, bytes_: int, lines: int) -> Element:
    """Return an element as it is in a document that begins so many bytes and lines later."""
    return Element(
        element.name,
        element.attributes,
        element.line - lines,
        element.start - bytes_,
        element.end - bytes_,
        element.inner_start - bytes_,
        element.inner_end - bytes_,
        element.is_closed,
        element.text,
        [moved(each, bytes_, lines) for each in element.children] if element.children else [],
    )


def read_xml(data: bytes, what: str, dialect: LibvirtDialect = LibvirtDialect.V9) -> Element:
    """Return the root of a document.

    Args:
        data: the document, in UTF-8.
        what: what to call it: ``domain_definition``, ``device_definition``.
        dialect: whose words a refusal has.

    Raises:
        DomainError: it is no XML, or more than is taken.
    """
    if len(data) > MOST_BYTES:
        raise _refused(dialect, what, 1, f"longer than {MOST_BYTES >> 20} MiB", "send less")
    named = _ENCODING.match(data)
    if named is not None and named[1].lower() not in _UTF8:
        encoding = named[1].decode()
        text = f"the encoding {encoding} is not read"
        raise _refused(dialect, what, 1, text, "save it as UTF-8")
    return _Reader(data, what, dialect).read()


class _Reader:
    """Builds the tree while expat reads."""

    def __init__(self, data: bytes, what: str, dialect: LibvirtDialect) -> None:
        self._dialect = dialect
        self._data = data
        self._what = what
        self._open: list[Element] = []
        self._root: Element | None = None
        self._count = 0
        self._texts: list[list[str]] = []
        self._parser = expat.ParserCreate(encoding="utf-8", namespace_separator="}")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype

    def read(self) -> Element:
        try:
            self._parser.Parse(self._data, True)
        except expat.ExpatError as error:
            text, line = _why(self._data, error)
            raise self._refused(line, text, "mend the XML there") from None
        if self._root is None:
            raise self._refused(1, "there is no element", "write one")
        return self._root

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        line, place = self._parser.CurrentLineNumber, self._parser.CurrentByteIndex
        self._count += 1
        if len(self._open) >= MOST_DEPTH or self._count > MOST_ELEMENTS:
            limit = f"{MOST_DEPTH} deep" if self._count <= MOST_ELEMENTS else f"{MOST_ELEMENTS}"
            raise self._refused(line, f"more than {limit} elements", "no domain needs so many")
        tag = _START_TAG.match(self._data, place)
        if tag is None:
            raise self._refused(line, f"the tag of <{name}> is not understood", "rewrite it")
        known = f"{{{name}" if "}" in name else name
        made = Element(
            known, attributes, line, place, inner_start=tag.end(), is_closed=bool(tag[1])
        )
        if self._open:
            self._open[-1].children.append(made)
        else:
            self._root = made
        self._open.append(made)
        self._texts.append([])

    def _end(self, _name: str) -> None:
        closed = self._open.pop()
        closed.text = "".join(self._texts.pop())
        if closed.is_closed:
            closed.end = closed.inner_end = closed.inner_start
        else:
            closed.inner_end = self._parser.CurrentByteIndex
            closed.end = self._data.index(b">", closed.inner_end) + 1

    def _characters(self, text: str) -> None:
        self._texts[-1].append(text)

    def _doctype(self, *_told: object) -> None:
        raise self._refused(
            self._parser.CurrentLineNumber,
            "a DOCTYPE is not read: entities are never expanded, and nothing is fetched",
            "remove the <!DOCTYPE ...>",
        )

    def _refused(self, line: int, text: str, remedy: str) -> DomainError:
        return _refused(self._dialect, self._what, line, text, remedy)


def _refused(dialect: LibvirtDialect, what: str, line: int, text: str, remedy: str) -> DomainError:
    return refusal(dialect, "no-xml", document=what, line=line, said=text, remedy=remedy)


def _why(data: bytes, error: expat.ExpatError) -> tuple[str, int]:
    """Return why a document is no XML, and the line: in libxml2's words where lxml is there."""
    text, line = expat.ErrorString(error.code), error.lineno
    try:
        from lxml import etree
    except ModuleNotFoundError:
        return text, line
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        etree.fromstring(data, parser)
    except etree.XMLSyntaxError as told:
        if parser.error_log:
            first = parser.error_log[0]
            return first.message.strip(), first.line
        return str(told), line
    except ValueError:
        return text, line
    return text, line
