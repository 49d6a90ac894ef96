"""Every input of the corpus is taken: those to begin with, and those that once raised."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
INPUTS = sorted(each for each in CORPUS.glob("*/*") if each.is_file())


def test_each_target_has_something_to_begin_with():
    assert {each.parent.name for each in INPUTS} == set(TARGETS)


@pytest.mark.parametrize("file", INPUTS, ids=lambda each: f"{each.parent.name}-{each.name}")
def test_an_input_is_taken(file):
    TARGETS[file.parent.name](file.read_bytes())


@pytest.mark.parametrize("name", [name for name in TARGETS if name not in ("traffic", "devices")])
@given(data=st.data())
def test_what_a_cut_and_a_bit_make_of_an_input_is_taken(name, data):
    file = data.draw(st.sampled_from([each for each in INPUTS if each.parent.name == name]))
    content = bytearray(file.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    TARGETS[name](bytes(content[: data.draw(st.integers(at, len(content)))]))
