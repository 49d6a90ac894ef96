"""Which region changed, how it is called, and where it is."""

from __future__ import annotations

from typing import Any

import pytest

from guestmap.inspect import Snapshot
from guestmap.inspect.ask.diff import diff
from guestmap.inspect.ask.diff_sentences import diff_sentences
from guestmap.inspect.ask.region_diff import RegionChange
from tests.inspect.snapshots import Builder


def _machine() -> Builder:
    """Two cards alike in a box in a bus, an alias of RAM, and RAM that lies in nothing."""
    tree = Builder()
    system = tree.container("system", 0, 0x100000)
    bus = tree.container("bus", 0x10000, 0x10000, into=system)
    box = tree.container("box", 0x1000, 0x8000, into=bus)
    for addr in (0x200, 0x400):
        tree.region("card", addr, 0x100, into=box)
    ram = tree.region("ram", 0, 0x2000, type="ram")
    tree.alias("window", 0x80000, 0x1000, ram, 0x400, into=system)
    tree.space("memory", system)
    return tree


def _id(tree: Builder, name: str, number: int = 1) -> int:
    return [each.id for each in tree.regions if each.name == name][number - 1]


def _changes(before: Builder, after: Builder) -> tuple[RegionChange, ...]:
    return diff(before.snapshot(), after.snapshot()).regions


@pytest.mark.parametrize(
    ("name", "facts", "changes"),
    [
        ("bus", {"addr": 0x20000}, ("moved",)),
        ("box", {"size": 0x7000}, ("resized",)),
        ("box", {"priority": 1}, ("priority",)),
        ("box", {"enabled": False}, ("disabled",)),
        ("window", {"alias_offset": 0x800}, ("repointed",)),
        ("window", {"readonly": True}, ("readonly",)),
        ("bus", {"type": "ram"}, ("retyped",)),
        ("window", {"type": "rom"}, ()),  # an alias's type is its target's
        ("window", {"addr": 0x90000, "readonly": True}, ("moved", "readonly")),
    ],
)
def test_each_fact_and_its_way_back(name: str, facts: dict[str, Any], changes: tuple[str, ...]):
    after = _machine()
    after.change(_id(after, name), **facts)
    there, back = _changes(_machine(), after), _changes(after, _machine())
    assert [each.changes for each in there if each.name == name] == ([changes] if changes else [])
    opposite = {"disabled": "enabled", "readonly": "writable"}
    undone = tuple(opposite.get(each, each) for each in changes)
    assert [each.changes for each in back if each.name == name] == ([undone] if undone else [])


def test_of_two_alike_the_second_is_numbered_and_placed_through_all_that_hold_it() -> None:
    after = _machine()
    after.change(_id(after, "card", 2), priority=1)
    (change,) = _changes(_machine(), after)
    assert change.path == ("system", "bus", "box", "card#2")
    assert (change.name, change.container, change.place) == ("card", "box", 0x11400)
    first = _machine()
    first.change(_id(first, "card"), priority=1)
    (change,) = _changes(_machine(), first)
    assert (change.path[-1], change.place) == ("card", 0x11200)


def test_a_tree_that_comes_or_goes_is_told_by_its_top() -> None:
    more = _machine()
    shelf = more.container("shelf", 0x8000, 0x100, into=_id(more, "bus"))
    more.region("led", 0, 0x10, into=more.container("tray", 0, 0x80, into=shelf))
    more.region("led", 0x90, 0x10, into=shelf)
    (came,) = _changes(_machine(), more)
    (went,) = _changes(more, _machine())
    assert (came.changes, went.changes) == (("added",), ("removed",))
    for change in (came, went):
        assert (change.path, change.place, change.below) == (("system", "bus", "shelf"), 0x18000, 3)
        assert change.state.size == 0x100
    assert (came.before, went.after) == (None, None)


def test_a_root_is_in_nothing() -> None:
    after = _machine()
    after.change(_id(after, "ram"), size=0x3000)
    (change,) = _changes(_machine(), after)
    assert (change.path, change.container, change.place) == (("ram",), "", 0)
    assert change.state.size == 0x3000


@pytest.mark.parametrize(
    ("name", "facts", "words"),
    [
        ("bus", {"addr": 0x20000}, "system/bus: moved from 0x10000 to 0x20000"),
        ("box", {"size": 0x7000}, "system/bus/box: resized from 32 KiB to 28 KiB"),
        ("box", {"priority": 1}, "system/bus/box: priority 1, was 0"),
        ("box", {"enabled": False}, "system/bus/box: disabled"),
        ("window", {"alias_offset": 0x800},
         "system/window: shows ram from 0x800, was ram from 0x400"),
        ("window", {"addr": 0x90000, "size": 0x800},
         "system/window: moved from 0x80000 to 0x90000, resized from 4 KiB to 2 KiB"),
    ],
)  # fmt: skip
def test_each_fact_is_told_as_it_was_and_is(name: str, facts: dict[str, Any], words: str) -> None:
    after = _machine()
    after.change(_id(after, name), **facts)
    lines = diff_sentences(diff(_machine().snapshot(), after.snapshot()))
    assert lines[lines.index("Regions:") + 1 :] == [f"  {words}"]


def test_where_no_region_changed_none_is_announced() -> None:
    after = _machine()
    after.space("nic", _id(after, "bus"))
    there, back = ((_machine(), after), (after, _machine()))
    for (one, other), word in ((there, "added"), (back, "removed")):
        lines = diff_sentences(diff(one.snapshot(), other.snapshot()))
        assert lines[-1] == f"Address space nic was {word}"
        assert all(line.startswith("Probably: ") for line in lines[:-1])


def test_a_change_is_told_whole_causes_first() -> None:
    def machine(addr: int, size: int, *spaces: str) -> Snapshot:
        tree = Builder()
        system = tree.container("system", 0, 0x10000)
        tree.region("card", addr, size, into=system)
        for each in spaces:
            tree.space(each, system)
        return tree.snapshot()

    before = machine(0x8000, 0x1000, "memory", "cpu-memory-0", "old")
    after = machine(0x9000, 0x800, "memory", "cpu-memory-0", "new")
    assert diff_sentences(diff(before, after)) == [
        "Probably: device with its own view of memory added: new",
        "Probably: device with its own view of memory removed: old",
        "Address space new was added",
        "Address space old was removed",
        "Changed in memory, cpu-memory-0:",
        "  8000-8fff: nobody, was card (i/o)",
        "  9000-97ff: card (i/o), was nobody",
        "Regions:",
        "  system/card: moved from 0x8000 to 0x9000, resized from 4 KiB to 2 KiB",
    ]
