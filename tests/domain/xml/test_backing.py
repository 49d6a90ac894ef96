"""Where a guest's memory comes from: what is said, what is not, and what has no meaning."""

import pytest

from guestmap.domain.rules.errors import DomainError
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.xml.backing import Backing, HostNodes, HugePages, backing_of
from guestmap.domain.xml.tree import read_xml


def backing(text: str, cells: int = 2) -> Backing:
    root = read_xml(f"<domain>\n{text}</domain>".encode(), "domain_definition")
    return backing_of(root, cells, LibvirtDialect.V9)


def of(text: str, cells: int = 2) -> Backing:
    return backing(f"<memoryBacking>{text}</memoryBacking>", cells)


SAID = {
    "": Backing(),
    "<source type='file'/>": Backing(source="file"),
    "<source type='memfd'/>": Backing(source="memfd"),
    "<source type='anonymous'/>": Backing(source="anonymous"),
    "<access mode='shared'/>": Backing(access="shared"),
    "<access mode='private'/>": Backing(access="private"),
    "<allocation mode='immediate'/>": Backing(immediate=True),
    "<allocation mode='ondemand'/>": Backing(),
    "<allocation threads='3'/>": Backing(threads=3),
    "<nosharepages/>": Backing(merges=False),
    "<locked/>": Backing(is_locked=True),
    "<discard/>": Backing(discard=True),
    "<hugepages/>": Backing(pages=(HugePages(),)),
    "<hugepages><page size='2' unit='MiB'/></hugepages>": Backing(pages=(HugePages(2048),)),
    "<hugepages><page size='4' nodeset='1'/><page size='2048'/></hugepages>": Backing(
        pages=(HugePages(4, (1,)), HugePages(2048))
    ),
}


@pytest.mark.parametrize("text", SAID)
def test_what_is_said_is_kept_and_the_rest_is_as_always(text):
    assert of(text) == SAID[text]


@pytest.mark.parametrize("text", SAID)
def test_only_what_decides_about_a_backend_is_said(text):
    assert of(text).is_said == (
        text not in {"", "<allocation mode='ondemand'/>", "<nosharepages/>", "<locked/>"}
    )


TUNED = {
    "<memory nodeset='0'/>": (HostNodes("strict", (0,)), None),
    "<memory mode='preferred' nodeset='0-1'/>": (HostNodes("preferred", (0, 1)), None),
    "<memory mode='interleave'/>": (None, None),
    "<memory placement='auto'/>": (None, None),
    "<memnode cellid='0' mode='restrictive' nodeset='3'/>": (
        None, {0: HostNodes("restrictive", (3,))}),
    "<memory nodeset='0'/><memnode cellid='1' nodeset='2'/>": (
        HostNodes("strict", (0,)), {1: HostNodes("strict", (2,))}),
    "<memnode cellid='1'/>": (None, None),
}  # fmt: skip


@pytest.mark.parametrize("text", TUNED)
def test_the_hosts_nodes_are_of_all_memory_or_of_one_cells(text):
    for more in ("", "<memoryBacking/>"):
        found = backing(f"<numatune>{text}</numatune>{more}")
        assert (found.nodes, found.by_cell) == TUNED[text]


def test_a_cell_has_its_own_pages_and_nodes_or_those_of_all():
    pages = of("<hugepages><page size='4' nodeset='1'/><page size='2048'/></hugepages>")
    assert [pages.page(cell) for cell in (None, 0, 1)] == [
        HugePages(2048), HugePages(2048), HugePages(4, (1,)),
    ]  # fmt: skip
    first = of("<hugepages><page size='1048576' nodeset='0'/></hugepages>")
    assert [first.page(cell) for cell in (None, 0, 1)] == [
        HugePages(1048576, (0,)), HugePages(1048576, (0,)), None,
    ]  # fmt: skip
    nodes = backing("<numatune><memory nodeset='0'/><memnode cellid='0' nodeset='2'/></numatune>")
    assert [nodes.host_nodes(cell) for cell in (None, 0, 1)] == [
        HostNodes("strict", (2,)), HostNodes("strict", (2,)), HostNodes("strict", (0,)),
    ]  # fmt: skip
    assert Backing().host_nodes(0) is None


def test_without_cells_pages_are_of_all_memory():
    pages = "<hugepages><page size='2048' nodeset='0'/></hugepages>"
    assert of(pages, 0).pages == (HugePages(2048),)
    assert of(pages, 1).pages == (HugePages(2048, (0,)),)


PAGE = "<hugepages><page size='2048'{}/></hugepages>"
REFUSED = {
    "source": ("<source type='q'/>", 2, "unknown memoryBacking/source/type 'q'"),
    "access": ("<access mode='q'/>", 2, "unknown memoryBacking/access/mode 'q'"),
    "allocation": ("<allocation mode='q'/>", 2, "unknown memoryBacking/allocation/mode 'q'"),
    "pages of none": ("<source type='anonymous'/><hugepages/>", 2, "not allowed with anonymous"),
    "two": ("<hugepages><page size='4'/><page size='2048'/></hugepages>", 2,
            "two master hugepages detected: 2048 and 4"),
    "no size": ("<hugepages><page/></hugepages>", 2, "missing element or attribute './@size'"),
    "node": (PAGE.format(" nodeset='2'"), 2, "hugepages: node 2 not found"),
    "node without cells": (PAGE.format(" nodeset='1'"), 0, "hugepages: node 1 not found"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_has_no_meaning_is_refused(what):
    text, cells, told = REFUSED[what]
    with pytest.raises(DomainError) as refused:
        of(text, cells)
    assert told in refused.value.text
    assert refused.value.line == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<memory mode='q' nodeset='0'/>", "Unsupported NUMA memory tuning mode 'q'"),
        ("<memnode nodeset='0'/>", "must correspond to existing guest's NUMA cell"),
        ("<memnode cellid='2' nodeset='0'/>", "must correspond to existing guest's NUMA cell"),
    ],
)
def test_a_tuning_that_has_no_meaning_is_refused(text, told):
    with pytest.raises(DomainError) as refused:
        backing(f"<numatune>{text}</numatune>")
    assert told in refused.value.text
