"""An address map does what the sorted dictionary does of which it is a part."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from sortedcontainers import SortedDict

from guestmap.base.address_map import AddressMap

ADDRESSES = st.integers(0, 20)
STEPS = st.lists(st.tuples(st.sampled_from(("set", "pop", "del")), ADDRESSES), max_size=40)


@given(STEPS, ADDRESSES, ADDRESSES, st.tuples(st.booleans(), st.booleans()))
def test_it_is_a_sorted_dictionary(
    steps: list[tuple[str, int]], low: int, high: int, inclusive: tuple[bool, bool]
) -> None:
    ours: AddressMap[str] = AddressMap()
    model: SortedDict[int, str] = SortedDict()
    for step, (what, address) in enumerate(steps):
        if what == "set":
            ours[address] = model[address] = f"{address}, {step}"
        elif what == "pop":
            assert ours.pop(address, "none") == model.pop(address, "none")
        elif address in model:
            del ours[address], model[address]
    assert len(ours) == len(model)
    assert ours.values() == list(model.values())
    assert [ours.peekitem(at) for at in range(len(ours))] == list(model.items())
    assert all(ours[address] == model[address] for address in model)
    assert ours.bisect_right(low) == model.bisect_right(low)
    assert [*ours.irange(low, high, inclusive)] == [*model.irange(low, high, inclusive)]
    ours.clear()
    assert not ours.values()
