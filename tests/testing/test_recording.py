"""The recording listener notices an engine contract that is broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from guestmap.memory import AddressSpace, MemoryRegionOps, MemorySystem
from guestmap.testing import NopRecordingListener


class Case:
    """An address space of one device, and the section of it."""

    def __init__(self) -> None:
        self.memory = MemorySystem()
        self.device = self.memory.io("device", 0x100, MemoryRegionOps())
        self.space: AddressSpace = self.memory.address_space("space", self.device)
        section = self.space.find(0)
        assert section is not None
        self.section = section
        self.other = section._replace(readonly=True)
        self.listener = NopRecordingListener()


BROKEN: dict[str, tuple[Callable[[Case], object], str]] = {
    "begin twice": (lambda c: (c.listener.begin(), c.listener.begin()), "begin within begin"),
    "commit alone": (lambda c: c.listener.commit(), "commit without begin"),
    "add alone": (lambda c: c.listener.region_add(c.section), "region_add outside of begin"),
    "add twice": (
        lambda c: (
            c.listener.begin(), c.listener.region_add(c.section), c.listener.region_add(c.section),
        ),
        "add of 0x0-0x100 onto 0x0",
    ),
    "del after add": (
        lambda c: (
            c.listener.begin(), c.listener.region_add(c.section), c.listener.region_del(c.section),
        ),
        "a del after an add",
    ),
    "del of nothing": (
        lambda c: (c.listener.begin(), c.listener.region_del(c.section)),
        "del of MemoryRegionSection",
    ),
    "nop of another mapping": (
        lambda c: (
            c.listener.begin(), c.listener.region_add(c.section), c.listener.region_nop(c.other),
        ),
        "nop of MemoryRegionSection",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_rule_is_a_problem(case: str) -> None:
    parts = Case()
    act, problem = BROKEN[case]
    act(parts)
    assert any(each.startswith(problem) for each in parts.listener.problems)
    with pytest.raises(AssertionError, match="'recorder' of 'space'"):
        parts.listener.assert_shows(parts.space)


def test_a_map_that_differs_is_noticed() -> None:
    parts = Case()
    parts.space.register_listener(parts.listener)
    parts.listener.assert_shows(parts.space)
    parts.listener.sections[0] = parts.other
    with pytest.raises(AssertionError, match="no broken rules"):
        parts.listener.assert_shows(parts.space)


def test_a_round_that_is_still_open_is_noticed() -> None:
    parts = Case()
    parts.space.register_listener(parts.listener)
    parts.listener.begin()
    with pytest.raises(AssertionError, match="still in a round"):
        parts.listener.assert_shows(parts.space)
