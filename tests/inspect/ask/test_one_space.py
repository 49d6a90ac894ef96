"""A question about one address space of several."""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError
from guestmap.inspect import RangeInfo, Snapshot, ViewInfo, ViewUser
from guestmap.inspect.ask.one_space import reached, with_one_space
from guestmap.inspect.ask.why_not import why_not
from tests.inspect.snapshots import Builder


def _two() -> Snapshot:
    tree = Builder()
    system, io = tree.container("system", 0, 1 << 32), tree.container("io", 0, 0x10000)
    ram = tree.region("ram", 0, 0x1000, type="ram")
    tree.alias("low", 0, 0x1000, ram, 0, into=system)
    tree.region("uart", 0x3F8, 8, into=io)
    tree.space("memory", system)
    tree.space("I/O", io)
    return tree.snapshot()


def test_only_what_the_space_leads_to_is_left() -> None:
    snapshot = with_one_space(_two(), "memory")
    assert [each.name for each in snapshot.address_spaces] == ["memory"]
    assert {snapshot.regions[each].name for each in reached(snapshot)} == {"system", "low", "ram"}
    (told,) = why_not(snapshot, "uart").regions
    assert (told.sights, told.absent) == ((), ("memory",))


def test_of_views_alone_that_of_the_space_is_left() -> None:
    views = tuple(
        ViewInfo((ViewUser(name, name),), name, (RangeInfo(0, 0x1000, 0, "ram", name),))
        for name in ("memory", "nic")
    )
    assert with_one_space(Snapshot(views=views), "nic").views == views[1:]


def test_a_space_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="there is no address space 'IO'; did you mean 'I/O'"):
        with_one_space(_two(), "IO")
