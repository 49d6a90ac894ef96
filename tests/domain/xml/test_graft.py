"""An edit between two tags: the tree after it is the one that reading would give, and is not read.

Places are counted in the document, so each edit says which bytes it takes.
"""

import pytest

from guestmap.domain.rules.errors import DomainError
from guestmap.domain.xml import graft
from guestmap.domain.xml.splice import Splice, spliced
from guestmap.domain.xml.tree import read_xml
from tests.domain.documents import alike

DATA = b"<a>\n <b>\n  <c/>\n  <d>t</d>\n </b>\n <e x='1'/>\n <f><g/></f>\n</a>\n"


def at(old: bytes, new: bytes) -> Splice:
    """Return the edit that puts bytes in the place of others, which stand there once."""
    assert DATA.count(old) == 1
    start = DATA.index(old)
    return Splice(start, start + len(old), new)


def before(old: bytes, new: bytes) -> Splice:
    return Splice(DATA.index(old), DATA.index(old), new)


def behind(old: bytes, new: bytes) -> Splice:
    place = DATA.index(old) + len(old)
    return Splice(place, place, new)


BETWEEN_TAGS = {
    "first in the root": [behind(b"<a>", b"<n/>")],
    "last in the root": [before(b"</a>", b"<n/>\n")],
    "first in a child": [behind(b"<b>", b"<n>\n</n>")],
    "last in a child": [before(b"</b>", b"<n/>")],
    "before a child": [before(b"<b>", b"<n/>\n ")],
    "behind a child": [behind(b"</b>", b"\n <n/>")],
    "a child": [at(b"<e x='1'/>", b"<n>\n\n</n><m/>")],
    "a child of a child": [at(b"<c/>", b"<c y='2'/>")],
    "a child gone": [at(b" <e x='1'/>\n", b"")],
    "a child of a child gone": [at(b"  <c/>\n", b"")],
    "all of a child": [at(b"<c/>\n  <d>t</d>", b"<n/>")],
    "two, the later first": [at(b"<e x='1'/>", b"<m/>"), at(b"<c/>", b"<n>\n</n>")],
    "two in one": [before(b"<c/>", b"<n/>\n"), at(b"<d>t</d>", b"<d>\nu</d>")],
    "two, in one child each": [at(b"<c/>", b"<n>\n</n>"), behind(b"<g/>", b"<m/>\n")],
    "a child gone, and a child of a later one": [at(b" <e x='1'/>\n", b""), at(b"<g/>", b"<m/>")],
    "two at one place": [before(b"<e x", b"<n/>"), before(b"<e x", b"<m/>\n")],
}  # fmt: skip
OF_TAGS = {
    "a tag": [at(b"<b>", b"<b y='2'>")],
    "an end": [at(b"</b>", b"</b >")],
    "the root's tag": [at(b"<a>", b"<a y='2'>")],
    "the root's end": [at(b"</a>", b"</a >")],
    "the root": [Splice(0, len(DATA) - 1, b"<n><m/></n>")],
    "before the root": [Splice(0, 0, b"<!-- -->\n")],
    "behind the root": [behind(b"</a>", b"<!-- -->\n")],
    "from one child into another": [at(b"<d>t</d>\n </b>\n <e x='1'/>", b"</b>")],
    "the root's tag, and within": [at(b"<a>", b"<a y='2'>"), at(b"<c/>", b"<n/>")],
    "a child and the next one's tag": [at(b"<c/>\n  <d>", b"<d>")],
    "within, and the root's end": [at(b"<c/>", b"<n/>"), at(b"</a>", b"</a >")],
}  # fmt: skip


@pytest.fixture
def read(monkeypatch):
    """Give the names of what is read."""
    names = []

    def noting(data, name):
        names.append(name)
        return read_xml(data, name)

    monkeypatch.setattr(graft, "read_xml", noting)
    return names


@pytest.mark.parametrize("edit", BETWEEN_TAGS)
def test_whole_elements_are_put_into_the_tree_and_the_rest_is_not_read_again(edit, read):
    after, root = graft.edited(DATA, read_xml(DATA, "a"), BETWEEN_TAGS[edit])
    assert after == spliced(DATA, BETWEEN_TAGS[edit])
    assert set(read) <= {"part"}
    alike(root, read_xml(after, "a"))


@pytest.mark.parametrize("edit", OF_TAGS)
def test_an_edit_of_a_tag_has_the_document_read(edit, read):
    after, root = graft.edited(DATA, read_xml(DATA, "a"), OF_TAGS[edit])
    assert after == spliced(DATA, OF_TAGS[edit])
    assert read[-1] == "domain_definition"
    alike(root, read_xml(after, "a"))


def test_half_of_a_child_is_not_taken_for_all_of_it():
    with pytest.raises(DomainError, match="domain_definition"):
        graft.edited(DATA, read_xml(DATA, "a"), [at(b"<c/>\n  <d>", b"")])


@pytest.mark.parametrize("broken", [b"<n>", b"</b>", b"<n", b"&x;"])
def test_what_is_no_document_any_more_is_refused(broken):
    with pytest.raises(DomainError, match="domain_definition"):
        graft.edited(DATA, read_xml(DATA, "a"), [at(b"<c/>", broken)])
