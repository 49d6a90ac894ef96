"""Recorded qtest sequences on our PC with no CPU: every reply and every view is QEMU's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from guestmap.inspect.conform import Equal, Unsupported, conform
from guestmap.machine import stopped_machine

if TYPE_CHECKING:
    from tests.support.corpus import Corpus

pytestmark = pytest.mark.seabios


def test_golden_sequences_are_equal(golden: Corpus) -> None:
    results = list(conform([golden.path / "qemu-7.2.22" / "qtest"], stopped_machine))
    assert len(results) >= 4
    assert [str(each) for each in results if not isinstance(each, Equal)] == []


@pytest.mark.slow
@pytest.mark.corpus
def test_every_sequence_on_the_plain_pc_is_equal_and_others_are_named(corpus: Corpus) -> None:
    place = corpus.path / "qtest" if corpus.path.is_dir() else corpus.path
    results = {
        int(match[1]): each
        for each in conform([place], stopped_machine)
        if (match := re.search(r"qtest/(\d+)\.json", each.path))
    }
    plain = [each for number, each in results.items() if 100 <= number < 200]
    assert len(plain) >= 50
    assert [str(each) for each in plain if not isinstance(each, Equal)] == []
    others = [each for number, each in results.items() if number < 100]
    assert [str(each) for each in others if not isinstance(each, (Unsupported, Equal))] == []
