"""The table of guest memory: against the naive resolver, and by example."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings

from guestmap.base import ConfigError, PeerError
from guestmap.inspect import RamBlockInfo, RangeInfo, Snapshot, ViewInfo, ViewUser
from guestmap.inspect.ask.ram_ranges import ram_ranges
from guestmap.inspect.ask.sentences import ram_sentences
from tests.inspect.naive import Naive, TooManyWaysError
from tests.inspect.snapshots import pc, trees


@settings(max_examples=150)
@given(trees())
def test_each_byte_of_memory_is_found_and_nothing_else(snapshot: Snapshot) -> None:
    naive = Naive(snapshot, 0)
    try:
        table = ram_ranges(snapshot)
        for address in range(110):
            winner = naive.at(address).winner
            region = snapshot.regions[winner.path[-1]] if winner else None
            expected = None
            if winner is not None and region is not None and region.type == "ram":
                expected = region.name, address - winner.bases[-1]
            assert table.find(address) == expected
    except (TooManyWaysError, PeerError):
        assume(False)


def test_the_table_of_a_pc() -> None:
    blocks = (
        RamBlockInfo("pc.ram", 0, 0x800_0000, 0x800_0000),
        RamBlockInfo("pc.rom", 0x804_0000, 0x20000, 0x20000),
    )
    table = ram_ranges(pc("pci").snapshot(ram_blocks=blocks))
    assert [(r.start, r.end, r.type, r.place.block, r.place.ram_addr) for r in table.ranges] == [
        (0, 0xA0000, "ram", "pc.ram", 0),
        (0xC0000, 0xC8000, "ram", "pc.ram", 0xC0000),
        (0xC8000, 0xCC000, "rom", "pc.rom", 0x804_8000),
        (0xCC000, 0x800_0000, "ram", "pc.ram", 0xCC000),
    ]
    assert table.find(0xC8123) == ("pc.rom", 0x8123)
    assert table.find(0xA0000) is None
    assert ram_sentences(table)[2] == (
        "00000000000c8000-00000000000cbfff  rom   RAM block pc.rom, offset 0x8000,"
        " ram_addr 0x8048000"
    )


def test_a_recorded_view_is_taken_as_it_is() -> None:
    view = ViewInfo(
        (ViewUser("memory", "system"),),
        "system",
        (RangeInfo(0, 0x1000, 0, "i/o", "uart"), RangeInfo(0x1000, 0x1000, 0, "ram", "r", 0x40)),
    )
    table = ram_ranges(Snapshot(views=(view,)))
    assert [(r.start, r.place.block, r.place.offset) for r in table.ranges] == [(0x1000, "r", 0x40)]


def test_no_such_space() -> None:
    with pytest.raises(ConfigError, match="there are: memory, nic"):
        ram_ranges(pc().snapshot(), "I/O")


def test_what_an_accelerator_knows_is_marked() -> None:
    low = RangeInfo(0, 0x1000, 0, "ram", "board.ram", accelerator=("kvm", "kvm"))
    table = ram_ranges(
        Snapshot(views=(ViewInfo((ViewUser("memory", "system"),), "system", (low,)),))
    )
    assert table.ranges[0].accelerator == ("kvm", "kvm")
    assert ram_sentences(table) == [
        "0000000000000000-0000000000000fff  ram   RAM block board.ram, offset 0x0, kvm"
    ]
