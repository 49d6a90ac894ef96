from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from guestmap.base import PeerError
from guestmap.conform import Equal, VectorCase, check_vector, conform, read_case
from tests.support.corpus import SHARES, in_share, least

if TYPE_CHECKING:
    from tests.support.corpus import Corpus

FIELDS = ["start", "size", "priority", "nonvolatile", "type", "name", "offset_in_region", "owner"]


def region(id_: int, name: str, addr: int, size: int, **facts: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "name": name,
        "addr": addr,
        "size": size,
        "priority": 0,
        "type": "i/o",
        "enabled": True,
        "terminates": "alias" not in facts and not facts.get("children"),
        "readonly": False,
        "nonvolatile": False,
        "children": [],
        **facts,
    }


def documented_example(*, b_answers: bool) -> dict[str, Any]:
    """The example of overlapping regions in QEMU's docs/devel/memory.rst, with its two views."""
    regions = [
        region(0, "A", 0, 0x8000, children=[1, 2], terminates=False),
        region(1, "C", 0, 0x6000, priority=1),
        region(2, "B", 0x2000, 0x4000, priority=2, children=[4, 3], terminates=b_answers),
        region(3, "D", 0, 0x1000),
        region(4, "E", 0x2000, 0x1000),
    ]
    prio = {"B": 2, "C": 1, "D": 0, "E": 0}
    shown = [(0, 0x2000, "C", 0), (0x2000, 0x1000, "D", 0)]
    if b_answers:
        shown += [(0x3000, 0x1000, "B", 0x1000), (0x4000, 0x1000, "E", 0)]
        shown += [(0x5000, 0x1000, "B", 0x3000)]
    else:
        shown += [(0x3000, 0x1000, "C", 0x3000), (0x4000, 0x1000, "E", 0)]
        shown += [(0x5000, 0x1000, "C", 0x5000)]
    ranges = [[s, n, prio[name], False, "i/o", name, off, ""] for s, n, name, off in shown]
    return {
        "range_fields": FIELDS,
        "regions": regions,
        "address_spaces": [{"name": "memory", "root": 0}, {"name": "dma", "root": 0}],
        "flatviews": [{"as": [["dma", "A"], ["memory", "A"]], "root": "A", "ranges": ranges}],
    }


def vector(form: dict[str, Any]) -> VectorCase:
    case = read_case(json.dumps(form).encode())
    assert isinstance(case, VectorCase)
    return case


@pytest.mark.parametrize("b_answers", [False, True])
def test_the_documented_example_is_equal(b_answers: bool) -> None:
    assert check_vector(vector(documented_example(b_answers=b_answers))) is None


def test_the_first_range_that_differs_is_told_with_both_sides() -> None:
    form = documented_example(b_answers=False)
    form["flatviews"][0]["ranges"][3][6] = 0x10
    difference = check_vector(vector(form))
    assert difference is not None
    assert difference.where == "AS 'dma', AS 'memory', range 3"
    assert "offset_in_region=16" in difference.qemu
    assert "name=E" in difference.guestmap
    assert "offset_in_region" not in difference.guestmap


def test_a_range_too_many_is_told() -> None:
    form = documented_example(b_answers=False)
    del form["flatviews"][0]["ranges"][-1]
    difference = check_vector(vector(form))
    assert difference is not None
    assert (difference.where[-7:], difference.qemu) == ("range 4", "has no such range")


def test_who_shares_a_view_counts() -> None:
    form = documented_example(b_answers=False)
    (view,) = form["flatviews"]
    form["flatviews"] = [{**view, "as": [user]} for user in view["as"]]
    difference = check_vector(vector(form))
    assert difference is not None
    assert difference.where == "shared view"


def test_a_view_of_ours_that_qemu_lacks_counts() -> None:
    form = documented_example(b_answers=False)
    form["regions"].append(region(5, "io", 0, 0x100))
    form["address_spaces"].append({"name": "I/O", "root": 5})
    difference = check_vector(vector(form))
    assert difference is not None
    assert difference.qemu == "has no such view"


def test_roots_that_look_alike_may_be_one_in_qemu_but_not_others() -> None:
    form = documented_example(b_answers=False)
    form["regions"] = [region(0, "A", 0, 0x100), region(1, "A", 0, 0x100)]
    form["address_spaces"][1]["root"] = 1
    ranges = [[0, 0x100, 0, False, "i/o", "A", 0, ""]]
    form["flatviews"][0]["ranges"] = ranges
    assert check_vector(vector(form)) is None
    form["regions"][1]["children"] = [2]
    form["regions"].append(region(2, "off", 0, 0x10, enabled=False))
    assert check_vector(vector(form)) is not None


def test_every_kind_of_region_and_no_memory_behind_them() -> None:
    size = 1 << 46
    kinds = ["ram", "rom", "romd", "i/o"]
    regions = [region(0, "root", 0, 1 << 64, children=[1, 2, 3, 4, 5], terminates=False)]
    for i, kind in enumerate(kinds, 1):
        regions.append(region(i, kind, i * size, size, type=kind, readonly=kind == "rom"))
    regions.append(region(5, "window", 0, 0x1000, type="ram", alias=1, alias_offset=0x2000,
                          readonly=True, nonvolatile=True))  # fmt: skip
    ranges = [[0, 0x1000, 0, True, "rom", "ram", 0x2000, ""]]
    ranges += [[i * size, size, 0, False, kind, kind, 0, ""] for i, kind in enumerate(kinds, 1)]
    form = {
        "range_fields": FIELDS,
        "regions": regions,
        "address_spaces": [{"name": "memory", "root": 0}],
        "flatviews": [{"as": [["memory", "root"]], "root": "root", "ranges": ranges}],
    }
    assert check_vector(vector(form)) is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"regions": [{"id": 0}]}, r"\$\.regions\[0\]"),
        ({"address_spaces": [{"name": "x", "root": 9}]}, "root 9, absent"),
        ({"range_fields": ["start"]}, "has not 1 values"),
        ({"regions": [region(0, "A", 0, 1, children=[7])]}, r"refers to \[7\], absent"),
    ],
)
def test_a_malformed_vector_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PeerError, match=complaint):
        vector({**documented_example(b_answers=False), **change})


def test_a_ring_of_aliases_is_refused() -> None:
    form = documented_example(b_answers=False)
    form["regions"] = [
        region(0, "A", 0, 1, alias=1),
        region(1, "B", 0, 1, alias=0),
    ]
    with pytest.raises(PeerError, match="in a ring"):
        check_vector(vector(form))


def test_golden_vectors_are_equal(golden: Corpus) -> None:
    results = list(conform([golden.path / "qemu-7.2.22" / "vectors"]))
    assert len(results) >= 5
    assert [each for each in results if not isinstance(each, Equal)] == []


@pytest.mark.slow
@pytest.mark.corpus
@pytest.mark.parametrize("every", SHARES)
def test_vectors_of_the_corpus_are_equal(corpus: Corpus, every: int) -> None:
    files = sorted((corpus.path / "vectors").iterdir())
    results = list(conform([each for each in files if in_share(each.name, every)]))
    assert len(results) >= least(1000, every)
    assert [str(each) for each in results if not isinstance(each, Equal)] == []
