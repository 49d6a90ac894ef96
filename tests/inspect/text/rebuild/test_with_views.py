"""Flat views as evidence: they overrule the rules, and what they show is proven."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings

from guestmap.base import ConfigError
from guestmap.conform import build
from guestmap.conform.captures import check_alone, check_rebuilt, recorded
from guestmap.inspect import Snapshot
from guestmap.inspect.text.mtree import write_flat, write_mtree
from tests.inspect.snapshots import trees
from tests.inspect.text.rebuild.texts import (
    ALL,
    alias,
    from_texts,
    line,
    named,
    section,
    shows,
    sureness,
    tree,
    view,
)

BOX = tree(line(2, 0x1000, 0x1000, "box"), line(3, 0x1800, 0x800, "uart"))


def test_who_is_seen_answers() -> None:
    snapshot = from_texts(BOX, view(line(1, 0x1000, 0x800, "box"), line(1, 0x1800, 0x800, "uart")))
    assert shows(snapshot) == [(0x1000, "box"), (0x1800, "uart")]
    assert sureness(snapshot, "box", "terminates") == "proven"
    assert sureness(snapshot, "uart", "terminates") == "proven"
    assert check_rebuilt(snapshot) is None


def test_who_is_not_seen_where_nobody_is_does_not() -> None:
    snapshot = from_texts(BOX, view(line(1, 0x1800, 0x800, "uart")))
    assert not named(snapshot, "box").terminates
    assert sureness(snapshot, "box", "terminates") == "proven"
    snapshot = from_texts(BOX, view())
    assert not named(snapshot, "uart").terminates  # a leaf: the view overrules what is likely


def test_a_view_overrules_a_rule() -> None:
    text = BOX.replace("box", "vga.mmio")
    assert shows(from_texts(text))[0] == (0x1000, "vga.mmio")
    snapshot = from_texts(text, view(line(1, 0x1800, 0x800, "uart")))
    assert shows(snapshot) == [(0x1800, "uart")]


def test_what_nothing_shows_stays_a_guess() -> None:
    text = tree(line(2, 0, 0x2000, "cover", priority=1), line(2, 0, 0x1000, "deep"))
    snapshot = from_texts(text, view(line(1, 0, 0x2000, "cover", priority=1)))
    assert sureness(snapshot, "deep", "terminates") == "guess"
    assert sureness(snapshot, "cover", "terminates") == "proven"


def test_the_order_of_siblings_is_seen() -> None:
    text = tree(line(2, 0x1000, 0x4000, "big"), line(2, 0x2000, 0x1000, "small"))
    snapshot = from_texts(text, view(line(1, 0x1000, 0x4000, "big")))
    assert shows(snapshot) == [(0x1000, "big")]
    assert sureness(snapshot, "system", "children") == "proven"
    assert named(snapshot, "small").terminates  # it is a device, only hidden


def test_who_makes_a_range_read_only_is_seen() -> None:
    ram = section("ram", line(1, 0, 0x10000, "ram", type="ram"))
    text = tree(alias(2, 0, 0x1000, "low", "ram", type="ram"),
                alias(2, 0x1000, 0x1000, "shadow", "ram", 0x1000, type="ram")) + ram  # fmt: skip
    snapshot = from_texts(
        text, view(line(1, 0, 0x1000, "ram", type="ram"),
                   line(1, 0x1000, 0x1000, "ram @0000000000001000", type="rom"))
    )  # fmt: skip
    assert [named(snapshot, name).readonly for name in ("low", "shadow")] == [False, True]
    assert sureness(snapshot, "shadow", "readonly") == "proven"
    assert check_rebuilt(snapshot) is None


def test_what_is_read_only_stays_so_where_something_else_is_put_right() -> None:
    """By the text alone ``box`` answers; the view shows that it does not."""
    text = tree(alias(2, 0xF0000, 0x10000, "pam-rom", "ram", 0xF0000, type="ram"),
                line(2, 0xF4000, 0x1000, "box"))  # fmt: skip
    text += section("ram", line(1, 0, 0x100000, "ram", type="ram"))
    shadow = line(1, 0xF0000, 0x10000, "ram @00000000000f0000", type="rom")
    snapshot = from_texts(text, view(shadow))
    assert named(snapshot, "pam-rom").readonly
    assert [each.name for each in snapshot.regions if each.readonly] == ["pam-rom"]
    assert shows(snapshot) == [(0xF0000, "ram")]
    assert check_rebuilt(snapshot) is None
    for name in ("pam-rom", "low"):  # by its name alone the first is read-only
        flats = view(shadow.replace("rom)", "ram)"))
        writable = from_texts(text.replace("pam-rom", name), flats)
        assert not any(each.readonly for each in writable.regions)
        assert check_rebuilt(writable) is None


def test_an_empty_ram_is_told_from_one_of_one_byte() -> None:
    text = tree(line(2, 0, 1, "ram", type="ram"), line(2, 0, 0x1000, "rom", type="rom"))
    assert named(from_texts(text, view(line(1, 0, 0x1000, "rom", type="rom"))), "ram").size == 0
    both = view(line(1, 0, 1, "ram", type="ram"),
                line(1, 1, 0xFFF, "rom @0000000000000001", type="rom"))  # fmt: skip
    assert named(from_texts(text, both), "ram").size == 1


BUSES = "".join(
    section("bus", line(1, 0, ALL, "bus"), line(2, at, 0x100, f"device{at:x}"))
    for at in (0x1100, 0x1200)
)


def test_which_of_two_equal_names_an_alias_shows_is_seen() -> None:
    text = tree(alias(2, 0x1000, 0x1000, "one", "bus", 0x1000),
                alias(2, 0x2000, 0x1000, "two", "bus", 0x1000),
                alias(2, 0x3000, 0x1000, "three", "bus", 0x1000)) + BUSES  # fmt: skip
    for at, name in ((0x3100, "device1100"), (0x3200, "device1200")):
        snapshot = from_texts(
            text,
            view(line(1, 0x1100, 0x100, "device1100"), line(1, 0x2200, 0x100, "device1200"),
                 line(1, at, 0x100, name)),
        )  # fmt: skip
        assert shows(snapshot)[-1] == (at, name)
        assert check_rebuilt(snapshot) is None


def test_an_alias_is_not_pointed_elsewhere_for_the_sake_of_one_address() -> None:
    """What is dark there is a region that does not answer: the rest of the window is right."""
    text = tree(alias(2, 0x1000, 0x1000, "one", "bus", 0x1000),
                alias(2, 0x3000, 0x1000, "two", "bus", 0x3000))  # fmt: skip
    text += section("bus", line(1, 0, ALL, "bus"), line(2, 0x1000, 0x100, "nic"),
                    line(2, 0x1200, 0x100, "dark"))  # fmt: skip
    text += section("bus", line(1, 0, ALL, "bus"), line(2, 0x3000, 0x100, "disk"))
    snapshot = from_texts(text, view(line(1, 0x1000, 0x100, "nic"), line(1, 0x3000, 0x100, "disk")))
    assert check_rebuilt(snapshot) is None
    assert not named(snapshot, "dark").terminates


def test_a_window_of_no_size_still_counts_when_a_view_is_shared() -> None:
    """With it the root is not empty: it is rendered, though nobody answers in it."""
    text = tree(alias(2, 0xC000, 1, "window", "io"), space="bridge", root="bus", size=1 << 32)
    text += section("io", line(1, 0, 0x10000, "io"), line(2, 0, 0x10000, "ram", type="ram"))
    empty = view(spaces=(("bridge", "bus"),), root="bus")
    snapshot = from_texts(text, empty)
    assert named(snapshot, "window").size == 0
    assert check_rebuilt(snapshot) is None
    alone = replace(from_texts(text), views=snapshot.views)
    assert named(alone, "window").size == 0
    assert check_alone(alone) is None


def test_views_tell_trees_of_one_name_apart() -> None:
    def dma(device: str) -> str:
        return tree(line(2, 0, 0x1000, device), space="dma", root="bus")

    text = dma("a") + dma("b")
    flats = [
        view(line(1, 0, 0x1000, device), spaces=(("dma", "bus"),), root="bus")
        for device in ("b", "a")
    ]
    snapshot = from_texts(text, "".join(flats))
    assert [shows(snapshot, space) for space in (0, 1)] == [[(0, "a")], [(0, "b")]]
    assert sureness(snapshot, "a", "terminates") == "proven"


MASTERS = {"nic": "bus master", "disk": "another bus master"}
WAYS_IN = {
    "an alias in a container": lambda space, shown: tree(
        shown(2), space=space, root="container"
    ),
    "an alias in containers": lambda space, shown: tree(
        line(2, 0, ALL, "inner"), shown(3), space=space, root="container"
    ),
    "a root that is an alias": lambda space, shown: f"address-space: {space}\n{shown(1)}\n",
    "an alias in a container, beside one that is disabled": lambda space, shown: tree(
        alias(2, 0, ALL, "off", "system", disabled=True), shown(2), space=space, root="container"
    ),
}  # fmt: skip


@pytest.mark.parametrize("way_in", WAYS_IN)
def test_a_shared_view_tells_which_of_two_lookalikes_is_shown(way_in: str) -> None:
    """All that tells the two regions apart is who shares a view with whom."""
    iommu = line(1, 0, ALL, "dma root") + line(2, 0, ALL, "iommu")
    ram = line(1, 0, 0x1000, "ram", type="ram")
    text = tree(f"  {ram}", space="memory\naddress-space: cpu-memory-0")
    text += "".join(f"address-space: {space}\n{iommu}\n" for space in ("devfn 0", "devfn 8"))
    for space, master in MASTERS.items():
        text += WAYS_IN[way_in](
            space, partial(alias, start=0, size=ALL, name=master, target="dma root")
        )
    text += 2 * section("dma root", iommu)
    if "disabled" in way_in:
        text += section("system", line(1, 0, ALL, "system"), f"  {ram}")
    for first, second in (("nic", "disk"), ("disk", "nic")):
        flats = view(ram, spaces=(("memory", "system"), ("cpu-memory-0", "system")))
        for pair in (("devfn 0", first), ("devfn 8", second)):
            root = "container" if "container" in way_in else MASTERS[pair[1]] + ", alias dma root"
            spaces = ((pair[0], "dma root"), (pair[1], root))
            flats += view(line(1, 0, ALL, "iommu"), spaces=spaces, root="dma root")
        snapshot = from_texts(text, flats)
        roots = {space.name: space.root for space in snapshot.address_spaces}
        shown = {space: named(snapshot, master) for space, master in MASTERS.items()}
        assert shown[first].alias == roots["devfn 0"]
        assert shown[second].alias == roots["devfn 8"] != roots["devfn 0"]


def test_a_view_that_no_tree_can_give_is_not_explained_away() -> None:
    snapshot = from_texts(BOX, view(line(1, 0x5000, 0x1000, "ghost")))
    difference = check_rebuilt(snapshot)
    assert difference is not None
    assert "ghost" in str(difference)


@settings(max_examples=250, derandomize=True)
@given(trees())
def test_any_tree_and_its_views_are_enough(snapshot: Snapshot) -> None:
    """The views are of our own rendering, which is held to QEMU's elsewhere."""
    try:
        truth = Snapshot.of(build(recorded(snapshot)).memory, source="")
    except ConfigError:  # aliases without end
        return
    rebuilt = from_texts(write_mtree(truth, disabled=True), write_flat(truth))
    assert check_rebuilt(rebuilt) is None
