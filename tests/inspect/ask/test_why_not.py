"""Where a region is visible and why it is not, held to the naive resolver at every address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings

from guestmap.base import ConfigError, PeerError
from guestmap.inspect import Snapshot
from guestmap.inspect.ask.why_not import why_not
from guestmap.inspect.ask.why_not_sentences import why_not_sentences
from guestmap.inspect.text.from_text import snapshot_of_pasted
from tests.inspect.naive import Lost, Naive, TooManyWaysError
from tests.inspect.snapshots import Builder, pc, trees

if TYPE_CHECKING:
    from guestmap.inspect.ask.why_not import RegionSight


@settings(max_examples=150)
@given(trees())
def test_each_region_is_seen_and_hidden_where_the_naive_resolver_says(snapshot: Snapshot) -> None:
    naive = Naive(snapshot, 0, windows=False)
    try:
        truths = [naive.at(address) for address in range(80)]
        sights = [why_not(snapshot, region.id).regions[0] for region in snapshot.regions]
    except (TooManyWaysError, PeerError):
        assume(False)
    for region, sight in zip(snapshot.regions, sights, strict=True):
        for address, truth in enumerate(truths):
            on_the_way = truth.winner.path if truth.winner else ()
            there = on_the_way[-1:] if region.terminates else on_the_way
            seen = [v for s in sight.sights for v in s.visible if v.start <= address < v.end]
            if "memory" not in sight.blind:
                assert bool(seen) == (region.id in there), (region.name, address)
            if region.terminates and truth.winner is not None and "memory" not in sight.blind:
                lost = {each for each in truth.losers if each.path[-1] == region.id}
                if not seen:
                    assert _hidden(sight, address) == lost, (region.name, address)


def _hidden(sight: RegionSight, address: int) -> set[Lost]:
    return {
        Lost(tuple(p.id for p in h.path), h.reason, h.by.id, h.against.id)
        for s in sight.sights
        for h in s.hidden
        if h.start <= address < h.end and h.by is not None
    }


def test_a_rom_is_seen_where_pam_lets_it_and_hidden_by_name_elsewhere() -> None:
    (sight,) = why_not(pc("rom").snapshot(), "pc.rom").regions
    (memory,) = sight.sights
    assert memory.spaces == ("memory",)
    assert sight.blind == ("nic",)
    assert memory.visible == ()
    reasons = {(h.start, h.end, h.reason, h.by.name if h.by else "") for h in memory.hidden}
    assert (0xC8000, 0xCC000, "priority", "pam-rom") in reasons
    assert (0xC8000, 0xCC000, "disabled", "pam-pci") in reasons
    assert (0xC0000, 0xC8000, "priority", "ram-below-4g") in reasons
    (sight,) = why_not(pc("pci").snapshot(), "pc.rom").regions
    assert [(v.start, v.end, v.offset) for v in sight.sights[0].visible] == [
        (0xC8000, 0xCC000, 0x8000)
    ]


def test_an_alias_is_seen_where_its_target_answers_through_it() -> None:
    (sight,) = why_not(pc("rom").snapshot(), "pam-rom").regions
    assert [(v.start, v.end) for v in sight.sights[0].visible] == [(0xC8000, 0xCC000)]
    (sight,) = why_not(pc("rom").snapshot(), "pam-ram").regions
    assert [h.reason for h in sight.sights[0].hidden] == ["disabled"]


def test_a_container_is_not_blamed_for_what_it_does_not_hold() -> None:
    (sight,) = why_not(pc("rom").snapshot(), "pci").regions
    hidden = [h for s in sight.sights for h in s.hidden]

    def reasons(address: int) -> set[tuple[str, str]]:
        here = [h for h in hidden if h.start <= address < h.end]
        return {(h.reason, h.by.name if h.by else "") for h in here}

    assert reasons(0xC8000) == {("priority", "pam-rom"), ("disabled", "pam-pci")}
    assert reasons(0x1000) == reasons(0x900_0000) == {("empty", "")}
    assert reasons(0xA0000) == set()  # seen by way of smram-region


def test_a_bus_master_that_is_off_is_found_in_its_own_space() -> None:
    tree = pc()
    snapshot = tree.snapshot()
    assert why_not(snapshot, "bus master").regions[0].blind == ("nic",)
    alias = next(r.id for r in tree.regions if r.name == "bus master")
    tree.change(alias, enabled=True)
    told = why_not(tree.snapshot(), "bus master").regions[0]
    assert [s.spaces for s in told.sights] == [("nic",)]
    assert told.sights[0].visible
    assert told.absent == ("memory",)


def test_regions_by_name_and_by_id() -> None:
    snapshot = pc().snapshot()
    by_name = why_not(snapshot, "pc.rom")
    assert why_not(snapshot, by_name.regions[0].region.id).regions == by_name.regions
    with pytest.raises(ConfigError, match=r"no region 'pc.roms'.*did you mean 'pc.rom'"):
        why_not(snapshot, "pc.roms")
    with pytest.raises(ConfigError, match=r"no region 'PC.ROM'.*did you mean 'pc.rom'"):
        why_not(snapshot, "PC.ROM")
    with pytest.raises(ConfigError, match="flat views only"):
        why_not(Snapshot(), "pc.rom")
    assert "    hidden  c8000-cbfff: pam-ram, on the way to it, is disabled" in why_not_sentences(
        why_not(snapshot, "pc.ram")
    )


_WHOLE = "  0000000000000000-ffffffffffffffff (prio 0, i/o): "


@pytest.mark.parametrize(
    ("text", "region", "cause"),
    [
        (f"{_WHOLE}io\n", "io", "io holds nothing, and whether it answers itself"),
        (f"{_WHOLE}io [disabled]\n", "io", "io is disabled"),
        (
            (
                f"{_WHOLE}bus master container\n  {_WHOLE}alias bus master @io"
                f" 0000000000000000-ffffffffffffffff [disabled]\n\nmemory-region: io\n{_WHOLE}io\n"
            ),
            "bus master",
            "is disabled: bus master (bus mastering is off)",
        ),
    ],
)
def test_why_nobody_answers_in_a_whole_space(text: str, region: str, cause: str) -> None:
    snapshot = snapshot_of_pasted(f"address-space: one\n{text}", source="text")
    told = why_not(snapshot, region)
    assert told.regions[0].blind == ("one",)
    assert cause in "\n".join(why_not_sentences(told))


def test_of_a_machine_that_says_what_answers_nothing_is_guessed() -> None:
    told = why_not(pc().snapshot(), "bus master").regions[0]
    assert told.blind_because == (
        "all that bus master container holds is disabled: bus master (bus mastering is off)",
    )


def test_what_is_told_of_each_region_of_a_name() -> None:
    tree = Builder()
    system = tree.container("system", 0, 0x1_0000)
    tree.region("dev", 0x100, 0x10, into=system)
    bus = tree.container("bus", 0, 0x1000, enabled=False)
    tree.region("dev", 0x200, 0x10, into=bus, enabled=False)
    tree.region("dev", 0x300, 0x10)
    other = tree.container("other", 0, 0x1000, enabled=False)
    tree.alias("window", 0, 0x1000, bus, into=other)
    for name, root in {"memory": system, "one": bus, "two": bus, "three": other}.items():
        tree.space(name, root)
    assert why_not_sentences(why_not(tree.snapshot(), "dev")) == [
        "dev (16 B):",
        "  in memory:",
        "    visible 100-10f, from byte 0x0",
        "dev (16 B, disabled):",
        "  one, two: nobody answers anywhere: bus is disabled",
        "  three: nobody answers anywhere: other is disabled",
        "dev (16 B):",
        "  no address space leads to it",
    ]


@pytest.mark.parametrize(
    ("covers", "winner"),
    [
        ([("a", 0, 0x2000)], "; a answers"),
        ([("a", 0, 0x1000), ("b", 0x1000, 0x1000)], ""),
        ([("a", 0, 0x800), ("b", 0x800, 0x800), ("a", 0x1000, 0x1000)], ""),
    ],
)
def test_who_answers_in_place_of_a_region_is_named_where_it_is_one(
    covers: list[tuple[str, int, int]], winner: str
) -> None:
    tree = Builder()
    system = tree.container("system", 0, 0x1_0000)
    tree.region("rom", 0, 0x2000, into=system)
    bus = tree.container("bus", 0, 0x2000, into=system, priority=1)
    for name, addr, size in covers:
        tree.region(name, addr, size, into=bus)
    tree.space("memory", system)
    (sight,) = why_not(tree.snapshot(), "rom").regions[0].sights
    assert [(each.start, each.end, each.reason) for each in sight.hidden] == [
        (0, 0x2000, "priority")
    ]
    told = why_not_sentences(why_not(tree.snapshot(), "rom"))[-1]
    assert told == f"    hidden  0-1fff: bus has a higher priority than rom in system{winner}"


def test_one_region_seen_through_two_windows_is_one_that_answers() -> None:
    tree = Builder()
    system = tree.container("system", 0, 0x1_0000)
    tree.region("rom", 0, 0x2000, into=system)
    bus = tree.container("bus", 0, 0x2000, into=system, priority=1)
    ram = tree.region("ram", 0, 0x1000, type="ram")
    for addr in (0, 0x1000):
        tree.alias("window", addr, 0x1000, ram, into=bus)
    tree.space("memory", system)
    (sight,) = why_not(tree.snapshot(), "rom").regions[0].sights
    (hidden,) = sight.hidden
    assert (hidden.start, hidden.end) == (0, 0x2000)
    assert hidden.winner is not None
    assert hidden.winner.name == "ram"
