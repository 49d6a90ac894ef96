"""What QEMU printed, read and written again, is what QEMU printed."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from guestmap.inspect import Snapshot
from guestmap.inspect.text.mtree import assemble, dispatch_of, read_mtree, write_flat, write_mtree
from tests.support.corpus import SHARES, in_share, least
from tests.support.mtree_text import blocks
from tests.support.qemu import Qemu

if TYPE_CHECKING:
    from guestmap.inspect import ViewInfo
    from guestmap.inspect.text.mtree import MtreeText
    from tests.support.corpus import Corpus

PAGE_BITS = (12, 10, 13, 14, 8)
"""Page sizes of QEMU's targets: x86 and most; Arm; SPARC64, CRIS; LoongArch, TriCore; AVR."""


def written_again(text: str | MtreeText, flags: str) -> str:
    snapshot = assemble(read_mtree(text) if isinstance(text, str) else text)
    assert Snapshot.from_json(snapshot.to_json()) == snapshot
    owner = "o" in flags
    if "f" in flags:
        return write_flat(snapshot, owner=owner, dispatch="d" in flags)
    return write_mtree(snapshot, owner=owner, disabled="D" in flags)


def has_computable_dispatch(view: ViewInfo) -> bool:
    """Tell whether we build the dispatch tree that QEMU printed, but for marks of its history."""
    assert view.dispatch is not None
    sections = tuple(
        replace(s, marks=tuple(mark for mark in s.marks if mark not in ("MRU", "iommu")))
        for s in view.dispatch.sections
    )
    printed = replace(view.dispatch, sections=sections)
    return any(dispatch_of(view, page_bits=bits) == printed for bits in PAGE_BITS)


def golden_texts(golden: Corpus) -> list[tuple[str, str, str]]:
    return [
        (name, flags, text)
        for name, data in golden.files(".json.gz")
        if "/texts/" in name
        for flags, text in json.loads(gzip.decompress(data))["texts"].items()
    ]


def test_golden_texts(golden: Corpus) -> None:
    texts = golden_texts(golden)
    assert len(texts) >= 40
    for name, flags, text in texts:
        assert blocks(written_again(text, flags)) == blocks(text), f"{name} {flags}"


def test_golden_dispatch_trees(golden: Corpus) -> None:
    views = [
        view
        for _, flags, text in golden_texts(golden)
        if flags == "-f -d"
        for view in read_mtree(text).views
        if view.ranges
    ]
    assert len(views) >= 15
    assert all(has_computable_dispatch(view) for view in views)


@pytest.mark.slow
@pytest.mark.corpus
@pytest.mark.parametrize("every", SHARES)
def test_texts_of_the_corpus(corpus: Corpus, every: int) -> None:
    count, trees = _hold_texts(corpus, every)
    assert count >= least(5000, every)
    assert trees >= least(1000, every)


@pytest.mark.slow
@pytest.mark.corpus
@pytest.mark.parametrize("every", SHARES)
def test_texts_of_qemu_11_1(corpus_11_1: Corpus, every: int) -> None:
    assert _hold_texts(corpus_11_1, every)[0] >= least(4000, every)


def _hold_texts(corpus: Corpus, every: int) -> tuple[int, int]:
    """Return how many texts were held, and how many dispatch trees in those that differ."""
    count = trees = 0
    seen = set()  # a third says the same as another
    for name, data in corpus.files(".txt"):
        match = re.search(r"/mtree((?:-[a-zA-Z])*)\.txt$", name)
        if match is None or not in_share(name, every):
            continue
        count += 1
        if (match[1], data) in seen:
            continue
        seen.add((match[1], data))
        text = data.decode()
        read = read_mtree(text)
        assert blocks(written_again(read, match[1])) == blocks(text), name
        for view in read.views:
            if view.dispatch is not None:
                trees += 1
                assert has_computable_dispatch(view), f"{name}: {view.users}"
    return count, trees


@pytest.mark.qemu
def test_a_live_monitor_with_its_line_ends() -> None:
    with Qemu("-smp", "2", "-device", "pci-testdev,membar=2M") as qemu:
        for flags in ("", "-o", "-D", "-f", "-f -o", "-f -d"):
            text = qemu.qmp("human-monitor-command", command_line=f"info mtree {flags}".strip())
            assert "\r\n" in text
            assert blocks(written_again(text, flags)) == blocks(text), flags


def _marked_as_root(*lines: str, root: str) -> list[str]:
    """Return the sections that are marked as the root's own, of a view with such ranges."""
    heading = ["FlatView #0", f' AS "cpu", root: {root}', f" Root memory region: {root}"]
    view = read_mtree("\n".join([*heading, *(f"  {line}" for line in lines), ""])).views[0]
    return [f"{s.start:x}" for s in dispatch_of(view).sections if "ROOT" in s.marks]


def test_a_region_that_merely_has_the_roots_name_is_not_the_root() -> None:
    io = "0000000000000000-0000000000000fff (prio 0, i/o): board"
    later = "0000000000002000-0000000000002fff (prio 0, i/o): board @0000000000002000"
    between = "0000000000001000-0000000000001fff (prio 0, ram): sram"
    namesake = "0000000000003000-0000000000003fff (prio 0, ram): board"
    assert _marked_as_root(io, between, later, root="board") == ["0", "2000"]
    assert _marked_as_root(between, namesake, root="board") == []
    assert _marked_as_root(namesake, root="board") == ["3000"]
