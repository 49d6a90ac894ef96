"""The tree of a document after edits: what the edits do not touch is not read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.domain.rules.errors import DomainError
from guestmap.domain.xml.splice import spliced
from guestmap.domain.xml.tree import MOST_ELEMENTS, Element, moved, read_xml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from guestmap.domain.xml.splice import Splice

_LEAST_ELEMENT = len(b"<a/>")
_OPEN, _CLOSE = b"<x>", b"</x>"


class _NotSimpleError(Exception):
    """An edit that is not one of whole elements between two tags."""


def edited(data: bytes, root: Element, splices: list[Splice]) -> tuple[bytes, Element]:
    """Return a document after edits, and its root as reading it would give it.

    Only of blanks between elements it may differ: they are in no element's text here.

    Args:
        data: the document before.
        root: its root.
        splices: of whole elements; any other edit has the whole document read.

    Raises:
        DomainError: the document would not be one that can be read.
    """
    after = spliced(data, splices)
    if len(after) < _LEAST_ELEMENT * MOST_ELEMENTS:  # else they must be counted
        edits = sorted(splices, key=lambda each: each.start)
        try:
            return after, _Graft(data, edits).within(root, edits)
        except (_NotSimpleError, DomainError):
            pass  # a prefix of a namespace, for one, has no meaning in a part
    return after, read_xml(after, "domain_definition")


class _Graft:
    """Goes through a tree from front to back, and counts by how much everything has moved."""

    def __init__(self, data: bytes, edits: Sequence[Splice]) -> None:
        self._data = data
        self._parts = _parts(edits)  # in the order in which they are come to
        self._bytes = 0
        self._lines = 0

    def within(self, element: Element, edits: Sequence[Splice]) -> Element:
        """Return an element after edits between its tags; there is one at least."""
        if edits[0].start < element.inner_start or edits[-1].end > element.inner_end:
            raise _NotSimpleError
        line, start, inner = element.line + self._lines, self._bytes, list(edits)
        children: list[Element] = []
        taken = 0
        for child in element.children:
            if child.start < taken:  # an edit takes it with the one before
                if child.end > taken:
                    raise _NotSimpleError
                continue
            while inner and inner[0].end <= child.start:
                children += self._put(inner.pop(0))
            if not inner or inner[0].start >= child.end:
                children.append(self._shifted(child))
            elif inner[0].start <= child.start and inner[0].end >= child.end:
                taken = inner[0].end
                children += self._put(inner.pop(0))
            else:
                own = [each for each in inner if each.start < child.end]
                children.append(self.within(child, own))
                inner = inner[len(own) :]
        for each in inner:
            children += self._put(each)
        return Element(
            element.name, element.attributes, line, element.start + start,
            element.end + self._bytes, element.inner_start + start, element.inner_end + self._bytes,
            text=element.text, children=children,
        )  # fmt: skip

    def _shifted(self, element: Element) -> Element:
        if not self._bytes and not self._lines:
            return element
        return moved(element, -self._bytes, -self._lines)

    def _put(self, edit: Splice) -> list[Element]:
        """Return the elements that an edit puts in the place of others."""
        place = edit.start + self._bytes
        line = self._data.count(b"\n", 0, edit.start) + self._lines
        self._bytes += len(edit.text) - (edit.end - edit.start)
        self._lines += edit.text.count(b"\n") - self._data.count(b"\n", edit.start, edit.end)
        if edit.element is not None:
            return [moved(edit.element, -place, -line)]
        part = next(self._parts)
        return [
            moved(each, part.inner_start - place, part.line - 1 - line) for each in part.children
        ]


def _parts(edits: Sequence[Splice]) -> Iterator[Element]:
    """Return what edits put in that is not known, each in an element of its own, read at once.

    Raises:
        DomainError, _NotSimpleError: they are no whole elements.
    """
    texts = [_OPEN + each.text + _CLOSE for each in edits if each.element is None]
    if not texts:
        return iter(())
    holder = read_xml(_OPEN + b"".join(texts) + _CLOSE, "part")
    if len(holder.children) != len(texts):
        raise _NotSimpleError
    return iter(holder.children)
