"""Up to three decorations on each other: the same map, a refusal, or a hole that is said."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from guestmap.base import PeerError
from guestmap.inspect.text.mtree import MtreeText, read_mtree, write_mtree
from guestmap.inspect.text.pasted import read_pasted
from tests.inspect.snapshots import pc
from tests.inspect.text.pasted import decorations
from tests.inspect.text.pasted.test_decorated import TEXTS, content

if TYPE_CHECKING:
    from tests.support.corpus import Corpus

ALL = decorations.NEVER_REFUSED + decorations.BREAKING
OWN = [*TEXTS, write_mtree(pc("pci").snapshot()), write_mtree(pc("hotplug").snapshot())]


def lines_of(text: MtreeText) -> Counter[str]:
    trees, views = content(text)  # type: ignore[misc]
    return Counter(
        [repr(line) for _, _, lines in trees for line in lines]
        + [repr(each) for view in views for each in view.ranges]
    )


def said(text: MtreeText) -> object:
    """Return what a text says but for its dispatch trees, which the reader leaves out."""
    trees, views = content(text)  # type: ignore[misc]
    return trees, [replace(view, dispatch=None) for view in views]


def some_blocks(text: str, random: Random) -> str:
    """Return a text's blocks, or a few of them, as people cut them out."""
    blocks = [each for each in text.split("\n\n") if each.strip()]
    first = random.randrange(len(blocks))
    some = blocks[first : first + random.randint(1, 4)]
    return text if random.random() < 0.3 else "\n\n".join(some) + "\n"


def compose(texts: list[str], seeds: range) -> Counter[str]:
    """Decorate texts by three at most, read them, and count how that ends."""
    ends: Counter[str] = Counter()
    for seed in seeds:
        random = Random(seed)
        text = some_blocks(random.choice(texts), random)
        steps = random.choices(ALL, k=random.choice([1, 2, 2, 3, 3]))
        pasted = text
        for step in steps:
            pasted = step(pasted, random)
        try:
            read = read_pasted(pasted)
        except PeerError:
            ends["refused"] += 1
            continue
        right = read_mtree(text)
        if said(read.text) == said(right):
            ends["read"] += 1
            continue
        names = ", then ".join(step.__name__ for step in steps)
        added = lines_of(read.text) - lines_of(right)
        assert not added, f"seed {seed}: {names}: {added}"
        assert any("left out" in note for note in read.notes), f"seed {seed}: {names}: {read.notes}"
        ends["hole"] += 1
    return ends


def test_compositions_of_decorations() -> None:
    ends = compose(OWN, range(1000))
    assert ends["read"] > 700, ends


@pytest.mark.long
@pytest.mark.timeout(900)
def test_many_compositions_of_decorations() -> None:
    ends = compose(OWN, range(1000, 21_000))
    assert ends["read"] > 14_000, ends


@pytest.mark.long
@pytest.mark.corpus
@pytest.mark.timeout(1800)
def test_many_compositions_of_what_qemu_printed(corpus: Corpus, corpus_11_1: Corpus) -> None:
    texts: list[str] = []
    for each in (corpus, corpus_11_1):
        for name in ("mtree.txt", "mtree-f.txt", "mtree-o-D.txt", "mtree-f-o.txt", "mtree-f-d.txt"):
            found = (content.decode(errors="replace") for _, content in each.files(f"/{name}"))
            texts += [text.replace("\r\n", "\n") for text in found if 0 < len(text) < 25_000]
    ends = compose(texts, range(20_000))
    assert ends["read"] > 14_000, ends
