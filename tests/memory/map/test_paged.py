"""The paged list against a plain one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import guestmap.memory.map.paged as module
from guestmap.memory.map.paged import PagedList

KEYS = st.integers(-5, 60)


class Pages(RuleBasedStateMachine):
    """Members come and go; pages are so small that there are many."""

    def __init__(self) -> None:
        super().__init__()
        self.page, module.PAGE = module.PAGE, 4
        self.paged: PagedList[str] = PagedList()
        self.plain: dict[int, str] = {}

    def teardown(self) -> None:
        module.PAGE = self.page

    @rule(key=KEYS)
    def add(self, key: int) -> None:
        if key not in self.plain:
            self.plain[key] = f"member {key}"
            self.paged.add(key, self.plain[key])

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        if self.plain:
            key = data.draw(st.sampled_from(sorted(self.plain)))
            del self.plain[key]
            self.paged.remove(key)

    @rule(low=KEYS, high=KEYS)
    def look(self, low: int, high: int) -> None:
        expected = [self.plain[key] for key in sorted(self.plain) if low <= key < high]
        assert self.paged.between(low, high) == expected

    @invariant()
    def all_are_there_in_order(self) -> None:
        assert list(self.paged) == [self.plain[key] for key in sorted(self.plain)]
        assert bool(self.paged) is bool(self.plain)
        if self.plain:
            assert (self.paged.first, self.paged.last) == (min(self.plain), max(self.plain))


TestPages = Pages.TestCase


@given(st.sets(st.integers(), max_size=2000))
def test_pages_of_their_real_size_hold_many(keys: set[int]) -> None:
    paged: PagedList[int] = PagedList()
    for key in keys:
        paged.add(key, key)
    assert list(paged) == sorted(keys)
