"""XML is read safely, and every element knows its bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.domain.rules.errors import DomainError
from guestmap.domain.xml.tree import MOST_BYTES, Element, read_xml
from tests.domain.documents import domain

DATA = "<a x='>'><!-- > --><b y=\"/>\"/>t<c>é<d/></c ></a>".encode()


def every(root: Element) -> list[Element]:
    return [root, *(deeper for child in root.children for deeper in every(child))]


def test_an_element_is_its_bytes_from_tag_to_tag():
    found = {each.name: DATA[each.start : each.end].decode() for each in every(read_xml(DATA, "t"))}
    assert found == {
        "a": DATA.decode(), "b": '<b y="/>"/>', "c": "<c>é<d/></c >", "d": "<d/>",
    }  # fmt: skip


def test_what_is_in_an_element_lies_between_its_tags():
    found = {e.name: DATA[e.inner_start : e.inner_end].decode() for e in every(read_xml(DATA, "t"))}
    assert found["c"] == "é<d/>"
    assert found["b"] == found["d"] == ""


def test_a_path_finds_elements_in_order():
    root = read_xml(b"<a><b><c>1</c></b><b><c> 2 </c></b></a>", "t")
    assert [each.text.strip() for each in root.every("b/c")] == ["1", "2"]
    assert root.value("b/c") == "1"
    assert root.find("b/d") is None
    assert len(list(root.every("*"))) == 2


def test_a_foreign_namespace_stands_before_the_name():
    root = read_xml(b"<a xmlns:q='urn:q'><q:b/></a>", "t")
    assert root.children[0].name == "{urn:q}b"


REFUSED = {
    "entities": (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "DOCTYPE"),
    "a file": (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "DOCTYPE"),
    "depth": (b"<a>" * 257, "256 deep"),
    "number": (b"<a>" + b"<b/>" * 100_001 + b"</a>", "100000"),
    "length": (b" " * (MOST_BYTES + 1), "4 MiB"),
    "encoding": (b'<?xml version="1.0" encoding="UTF-16"?><a/>', "UTF-16"),
    "bytes": (b"<a>\xff</a>", "1"),
    "a tag too many": (b"<a></b></a>", "1"),
    "nothing": (b"", "empty"),
    "an unknown prefix": (b"<a><q:b/></a>", "1"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_read_is_refused_with_its_line(what):
    data, told = REFUSED[what]
    with pytest.raises(DomainError, match=told) as refused:
        read_xml(data, "domain_definition")
    assert refused.value.code == 35
    assert refused.value.text.startswith("(domain_definition):")


def test_the_reason_is_libxml2s_as_libvirt_prints_it():
    with pytest.raises(DomainError) as refused:
        read_xml(b"<memory model='dimm'><target>\n", "device_definition")
    assert refused.value.text == (
        "(device_definition):2: Premature end of data in tag target line 1"
    )


@given(st.binary(max_size=60), st.integers(0, 600), st.integers(0, 20))
def test_nothing_but_a_refusal_comes_of_damaged_documents(noise, place, cut):
    whole = domain()
    data = whole[:place] + noise + whole[place + cut :]
    try:
        found = every(read_xml(data, "t"))
    except DomainError:
        return
    assert all(0 <= e.start <= e.inner_start <= e.inner_end <= e.end for e in found)
