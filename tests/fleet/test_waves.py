"""A few first, then a share at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.base import ConfigError
from guestmap.fleet.waves import WavePolicy


@pytest.mark.parametrize(
    ("policy", "count", "sizes"),
    [
        (WavePolicy(1, 10.0), 25, [1, 3, 3, 3, 3, 3, 3, 3, 3]),
        (WavePolicy(2, 100.0), 25, [2, 23]),
        (WavePolicy(0, 50.0), 4, [2, 2]),
        (WavePolicy(5, 10.0), 3, [3]),
        (WavePolicy(1, 1.0), 3, [1, 1, 1]),
        (WavePolicy(), 0, []),
    ],
)
def test_how_many_at_a_time(policy, count, sizes):
    assert [len(each) for each in policy.waves(range(count))] == sizes


@given(st.integers(0, 300), st.integers(0, 20), st.floats(0.5, 100.0))
def test_each_is_gone_to_once_and_in_order(count, canary, percent):
    waves = WavePolicy(canary, percent).waves(range(count))
    assert [each for wave in waves for each in wave] == list(range(count))


@pytest.mark.parametrize("numbers", [(-1, 10.0, 1), (1, 0.0, 1), (1, 101.0, 1), (1, 10.0, -1)])
def test_impossible_numbers_are_refused(numbers):
    with pytest.raises(ConfigError, match="cannot be"):
        WavePolicy(*numbers)
