"""Differences: exact in the views, sensible about the regions, and right about the cause."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import assume, given, settings

from guestmap.base import PeerError
from guestmap.inspect import Snapshot
from guestmap.inspect.ask.diff import diff
from guestmap.inspect.ask.diff_sentences import diff_sentences
from guestmap.inspect.text.from_text import snapshot_of_pasted
from guestmap.inspect.text.mtree import assemble, read_mtree
from tests.inspect.naive import Naive, TooManyWaysError
from tests.inspect.snapshots import Builder, pc, trees
from tests.support.corpus import SHARES, in_share, least

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.inspect.ask.view_diff import RangeChange
    from tests.support.corpus import Corpus

Answer = tuple[str, str, int] | None


def _answers(snapshot: Snapshot, naive: Naive, address: int) -> Answer:
    winner = naive.at(address).winner
    if winner is None:
        return None
    region = snapshot.regions[winner.path[-1]]
    is_rom = any(snapshot.regions[id_].readonly for id_ in winner.path)
    return region.name, "rom" if is_rom else region.type, address - winner.bases[-1]


def _told(change: RangeChange, address: int) -> tuple[Answer, Answer]:
    before, after = (
        None if s is None else (s.name, s.type, s.offset + address - change.start)
        for s in (change.before, change.after)
    )
    return before, after


@settings(max_examples=150)
@given(trees(), trees())
def test_views_differ_exactly_where_others_answer(a: Snapshot, b: Snapshot) -> None:
    # Whether memory is nonvolatile is not in the answers that are compared.
    def volatile(s: Snapshot) -> Snapshot:
        regions = (msgspec.structs.replace(r, nonvolatile=False) for r in s.regions)
        return replace(s, regions=tuple(regions))

    a, b = volatile(a), volatile(b)
    try:
        told = diff(a, b)
        ours, theirs = Naive(a, 0), Naive(b, 0)
        truth = [(_answers(a, ours, i), _answers(b, theirs, i)) for i in range(110)]
    except (TooManyWaysError, PeerError):
        assume(False)
    changes = [change for view in told.views for change in view.ranges]
    found = {i: _told(c, i) for c in changes for i in range(c.start, c.end)}
    assert found == {i: pair for i, pair in enumerate(truth) if pair[0] != pair[1]}
    assert all(c.start < c.end for c in changes)


@settings(max_examples=100)
@given(trees())
def test_a_map_with_other_ids_is_the_same_map(snapshot: Snapshot) -> None:
    try:
        assert diff(snapshot, _renumbered(snapshot)).is_empty
    except PeerError:
        assume(False)


def _renumbered(snapshot: Snapshot) -> Snapshot:
    last = len(snapshot.regions) - 1
    regions = [
        msgspec.structs.replace(
            r,
            id=last - r.id,
            children=tuple(last - c for c in r.children),
            alias=None if r.alias is None else last - r.alias,
        )
        for r in reversed(snapshot.regions)
    ]
    spaces = tuple(replace(s, root=last - s.root) for s in snapshot.address_spaces)
    return replace(snapshot, regions=tuple(regions), address_spaces=spaces)


def _causes(before: Builder, after: Builder) -> list[tuple[str, str]]:
    told = diff(before.snapshot(), after.snapshot())
    return [(cause.code, cause.text) for cause in told.causes]


def _find(tree: Builder, name: str) -> int:
    return next(r.id for r in tree.regions if r.name == name)


def test_a_pam_segment_that_became_ram() -> None:
    told = diff(pc("rom").snapshot(), pc("ram").snapshot())
    assert [(c.code, c.text) for c in told.causes] == [
        ("pam", "PAM: C8000-CBFFF changed from RAM for reads only to RAM")
    ]
    (view,) = told.views
    assert view.spaces == ("memory",)
    (change,) = view.ranges
    assert (change.start, change.end) == (0xC8000, 0xCC000)
    assert change.before is not None
    assert change.after is not None
    assert (change.before.type, change.after.type) == ("rom", "ram")
    assert {(r.name, r.changes) for r in told.regions} == {
        ("pam-rom", ("disabled",)),
        ("pam-ram", ("enabled",)),
    }
    assert "  c8000-cbfff: pc.ram (ram) from byte 0xc8000, was pc.ram (rom) from byte 0xc8000" in (
        diff_sentences(told)
    )


@pytest.mark.parametrize(
    ("name", "enabled", "code", "text"),
    [
        ("smram-region", False, "smram", "SMRAM opened: A0000-BFFFF is RAM outside SMM too"),
        ("bus master", True, "bus-master", "bus mastering switched on for a device"),
    ],
)
def test_what_a_switch_does(name: str, enabled: bool, code: str, text: str) -> None:
    after = pc()
    after.change(_find(after, name), enabled=enabled)
    assert _causes(pc(), after) == [(code, text)]


def _with_bar(addr: int | None) -> Builder:
    tree = pc()
    if addr is not None:
        owner = "owner:{dev id=nic0}"
        pci = _find(tree, "pci")
        tree.region("e1000-mmio", addr, 0x20000, into=pci, priority=1, owner=owner)
    return tree


def test_a_bar_that_is_mapped_moved_and_unmapped() -> None:
    away, low, high = _with_bar(None), _with_bar(0xE000_0000), _with_bar(0xF000_0000)
    assert _causes(away, low) == [
        ("bar-mapped", "BAR e1000-mmio mapped at e0000000-e001ffff in pci")
    ]
    assert _causes(low, high) == [("bar-moved", "BAR e1000-mmio moved from e0000000 to f0000000")]
    assert _causes(high, away) == [
        ("bar-unmapped", "BAR e1000-mmio unmapped at f0000000-f001ffff in pci")
    ]


def _with_memory(*devices: tuple[str, int, int]) -> Builder:
    tree = pc()
    space = tree.container("device-memory", 1 << 32, 1 << 34, into=_find(tree, "system"))
    for name, addr, size in devices:
        tree.region(name, addr, size, into=space, type="ram")
    return tree


def test_a_dimm_that_was_plugged() -> None:
    one, two = ("m0", 0, 1 << 28), ("m1", 1 << 28, 1 << 30)
    assert _causes(_with_memory(one), _with_memory(one, two)) == [
        ("memory-device", "memory device m1 (1 GiB) plugged at 110000000-14fffffff")
    ]
    assert [text for _, text in _causes(_with_memory(one, two), _with_memory(two))] == [
        "memory device m0 (256 MiB) unplugged at 100000000-10fffffff"
    ]


def test_a_bridges_window_that_was_opened() -> None:
    def bridge(addr: int, size: int) -> Builder:
        tree = pc()
        behind = tree.container("pci_bridge_pci", 0, 1 << 64)
        pci = _find(tree, "pci")
        tree.alias("pci_bridge_mem", addr, size, behind, addr, into=pci, priority=1)
        return tree

    assert _causes(bridge(0, 0x10_0000), bridge(0xE000_0000, 0x20_0000)) == [
        ("bridge-window", "window of a PCI bridge now at e0000000-e01fffff, was at 0")
    ]


def test_address_spaces_that_came() -> None:
    after = pc()
    after.space("cpu-memory-1", _find(after, "system"))
    assert _causes(pc(), after) == [("cpu-added", "CPU 1 added")]
    told = diff(after.snapshot(), pc().snapshot())
    assert told.removed == ("cpu-memory-1",)


def test_an_alias_that_shows_something_else() -> None:
    after = pc()
    after.change(_find(after, "ram-below-4g"), alias_offset=0x1000)
    (change,) = diff(pc().snapshot(), after.snapshot()).regions
    assert (change.path, change.changes) == (("system", "ram-below-4g"), ("repointed",))


_PLAIN = {"addr": 0x1000, "size": 0x1000, "target": 0, "offset": 0}


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({}, {"addr": 0x3000}, ("moved",)),
        ({}, {"size": 0x800}, ("resized",)),
        ({}, {"enabled": False}, ("disabled",)),
        ({"enabled": False}, {}, ("enabled",)),
        ({}, {"offset": 0x1000}, ("repointed",)),
        ({}, {"target": 1}, ("repointed",)),
        ({}, {"priority": 1}, ("priority",)),
        ({}, {"readonly": True}, ("readonly",)),
        ({"readonly": True}, {}, ("writable",)),
        ({"readonly": True}, {"addr": 0, "size": 0x800, "priority": 2},
         ("moved", "resized", "priority", "writable")),
    ],
)  # fmt: skip
def test_each_fact_of_an_alias_that_changes(
    before: dict[str, Any], after: dict[str, Any], changes: tuple[str, ...]
) -> None:
    def map_with(facts: dict[str, Any]) -> Snapshot:
        tree = Builder()
        system = tree.container("system", 0, 1 << 16)
        tree.space("memory", system)
        targets = [tree.region(name, 0, 0x4000, type=kind) for name, kind in
                   (("ram", "ram"), ("device", "i/o"))]  # fmt: skip
        facts = {**_PLAIN, **facts}
        target = targets[facts.pop("target")]
        tree.alias("window", facts.pop("addr"), facts.pop("size"), target, facts.pop("offset"),
                   into=system, **facts)  # fmt: skip
        return tree.snapshot()

    told = diff(map_with(before), map_with(after)).regions
    assert [(each.path[-1], each.changes) for each in told] == [("window", changes)]


def test_nothing_changed_and_json() -> None:
    same = diff(pc().snapshot(), pc().snapshot())
    assert same.is_empty
    assert diff_sentences(same) == ["Nothing changed."]
    form = json.loads(json.dumps(diff(pc("rom").snapshot(), pc("ram").snapshot()).to_json()))
    assert form["causes"][0]["code"] == "pam"


def test_a_bar_that_an_alias_shows_while_it_is_unmapped() -> None:
    def card(mapped: bool) -> Builder:
        tree = pc()
        pci = _find(tree, "pci")
        into = pci if mapped else None
        addr = 0xE000_0000 if mapped else 0
        vram = tree.region("vga.vram", addr, 0x100_0000, into=into, priority=1, type="ram")
        tree.alias("vga.chain4", 0xA0000, 0x10000, vram, into=pci, priority=2)
        return tree

    assert [code for code, _ in _causes(card(False), card(True))] == ["bar-mapped"]
    (change,) = diff(card(True).snapshot(), card(False).snapshot()).regions
    assert (change.path, change.changes, change.place) == (
        ("system", "pci", "vga.vram"), ("removed",), 0xE000_0000,
    )  # fmt: skip


# What each recorded step did, and the causes that may be told of it.
LABELS = {
    "pam": {"pam"}, "pam-all-00": {"pam"}, "pam-all-11": {"pam"}, "pam-all-22": {"pam"},
    "pam-all-33": {"pam"}, "smram": {"smram"}, "tseg": {"smram"}, "f-smbase": {"smram"},
    "bar": {"bar"}, "behind-bridge": {"bar", "bus-master"}, "rom": {"bar", "bus-master"},
    "cmd": {"bar", "bus-master", "vga", "bridge-window"},
    "bridge": {"bridge-window", "bus-master", "bar"},
    "piix4-pm": {"power-management"}, "lpc-pm-rcba": {"power-management", "root-complex"},
    "pciexbar": {"mmconfig"}, "vga-chain4": {"vga"}, "cirrus-banks": {"vga"}, "vga": {"vga"},
    "a20": set(), "rw": set(), "scan": set(),
}  # fmt: skip


def _steps(text: str) -> Iterator[tuple[str, Snapshot]]:
    """Yield what was done, and the map then: the one before where its text is the same."""
    seen, map_ = "", Snapshot()
    parts = re.split(r"^@@@ step \d+ (.*)$", text.replace("\r", ""), flags=re.MULTILINE)[1:]
    for what, body in zip(parts[::2], parts[1::2], strict=True):
        if body != seen:
            texts = re.findall(r"^@@\w+\n(.*?)(?=^@@|\Z)", body, flags=re.MULTILINE | re.DOTALL)
            map_ = assemble(*(read_mtree(each) for each in texts if each.strip()))
        yield what, map_
        seen = body


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("every", SHARES)
def test_recorded_steps_are_told_by_what_was_done(corpus: Corpus, every: int) -> None:
    changed = 0
    for path, data in corpus.files(".trees.gz", below="qtest"):
        if not in_share(path, every):
            continue
        before: Snapshot | None = None
        for what, after in _steps(gzip.decompress(data).decode()):
            if before is not None and before is not after:
                told = diff(before, after)
                assert not told.views or told.causes, (path, what)
                allowed = LABELS.get(what)
                codes = {re.sub("-(mapped|unmapped|moved)$", "", c.code) for c in told.causes}
                assert allowed is None or codes <= allowed, (path, what, codes)
                changed += bool(told.views)
            before = after
    assert changed >= least(800, every)


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_plugged_memory_is_told_with_its_address(corpus: Corpus) -> None:
    """QEMU's ``info memory-devices`` says which DIMM came or went, and where it is."""
    texts: dict[str, dict[str, str]] = {}
    for path, data in corpus.files(".txt", below="hotplug"):
        folder, _, name = path.rpartition("/")
        texts.setdefault(folder, {})[name] = data.decode()
    plugged = 0
    for folder, after in sorted(texts.items()):
        if "-add-pc-dimm" not in folder:
            continue
        case, _, mark = folder.rpartition("/")
        earlier = [f for f in texts if f.rpartition("/")[0] == case and f < f"{case}/{mark}"]
        old, new = (_captured(texts[f]) for f in (max(earlier), folder))
        told = {c.text for c in diff(old, new).causes if c.code == "memory-device"}
        came = _dimms(after) - _dimms(texts[max(earlier)])
        expected = {f"plugged at {addr:x}-{addr + size - 1:x}" for addr, size in came}
        assert {text[text.index("plugged at") :] for text in told} == expected, folder
        plugged += len(came)
    assert plugged > 40


def _captured(texts: dict[str, str]) -> Snapshot:
    return assemble(read_mtree(texts["mtree-o-D.txt"]), read_mtree(texts["mtree-f-o.txt"]))


def _dimms(texts: dict[str, str]) -> set[tuple[int, int]]:
    found = re.findall(
        r'\[dimm\]: ".*"\r?\n\s+addr: (0x\w+)(?:.*\r?\n)+?\s+size: (\d+)',
        texts["memory-devices.txt"],
    )
    return {(int(addr, 16), int(size)) for addr, size in found}


def test_an_alias_that_shows_another_part_is_repointed() -> None:
    def bank(offset: int) -> Snapshot:
        build = Builder()
        system = build.container("system", 0, 1 << 64)
        flash = build.region("flash", 0, 0x10000, type="rom")
        build.alias("bank", 0x8000, 0x1000, flash, offset, into=system)
        build.space("memory", system)
        return build.snapshot()

    told = diff(bank(0), bank(0x3000))
    (change,) = told.regions
    assert (change.path[-1], change.changes) == ("bank", ("repointed",))
    assert (change.before.alias_offset, change.after.alias_offset) == (0, 0x3000)
    (seen,) = told.views[0].ranges
    assert (seen.before.offset, seen.after.offset) == (0, 0x3000)
    assert "shows flash from 0x3000, was flash from 0x0" in "\n".join(diff_sentences(told))


def _with_smram(bar: int, *, pam: str = "rom") -> Snapshot:
    """Return a small PC with SMRAM that is closed, as a map that has its disabled regions."""
    tree = pc(pam)
    pci, ram = _find(tree, "pci"), _find(tree, "pc.ram")
    tree.region("nic-mmio", bar, 0x1000, into=pci, priority=1)
    smram = tree.container("smram", 0, 1 << 32, enabled=False)
    tree.alias("smram-low", 0xA0000, 0x20000, ram, 0xA0000, into=smram)
    smm = tree.container("memory", 0, 1 << 64)
    tree.alias("smram", 0, 1 << 32, smram, into=smm, priority=1)
    tree.alias("memory", 0, 1 << 64, _find(tree, "system"), into=smm)
    tree.space("cpu-smm-0", smm)
    return tree.snapshot()


PLAIN_TEXT = """\
address-space: nic
  0000000000000000-ffffffffffffffff (prio 0, i/o): bus master container

address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000000000000-0000000007ffffff (prio 0, ram): alias ram-below-4g @pc.ram \
0000000000000000-0000000007ffffff
    0000000000000000-ffffffffffffffff (prio -1, i/o): pci
      00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem
      00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
      00000000e0000000-00000000e0000fff (prio 1, i/o): nic-mmio
    00000000000a0000-00000000000bffff (prio 1, i/o): alias smram-region @pci \
00000000000a0000-00000000000bffff
    00000000000c8000-00000000000cbfff (prio 1, ram): alias pam-rom @pc.ram \
00000000000c8000-00000000000cbfff

address-space: cpu-smm-0
  0000000000000000-ffffffffffffffff (prio 0, i/o): memory
    0000000000000000-00000000ffffffff (prio 1, i/o): alias smram @smram \
0000000000000000-00000000ffffffff
    0000000000000000-ffffffffffffffff (prio 0, i/o): alias memory @system \
0000000000000000-ffffffffffffffff

memory-region: system
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000000000000-0000000007ffffff (prio 0, ram): alias ram-below-4g @pc.ram \
0000000000000000-0000000007ffffff
    0000000000000000-ffffffffffffffff (prio -1, i/o): pci
      00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem
      00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
      00000000e0000000-00000000e0000fff (prio 1, i/o): nic-mmio
    00000000000a0000-00000000000bffff (prio 1, i/o): alias smram-region @pci \
00000000000a0000-00000000000bffff
    00000000000c8000-00000000000cbfff (prio 1, ram): alias pam-rom @pc.ram \
00000000000c8000-00000000000cbfff

memory-region: pc.ram
  0000000000000000-0000000007ffffff (prio 0, ram): pc.ram

memory-region: pci
  0000000000000000-ffffffffffffffff (prio -1, i/o): pci
    00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem
    00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
    00000000e0000000-00000000e0000fff (prio 1, i/o): nic-mmio

memory-region: smram
    00000000000a0000-00000000000bffff (prio 0, ram): alias smram-low @pc.ram \
00000000000a0000-00000000000bffff
"""
"""``info mtree`` without ``-D`` of a PC like :func:`_with_smram`'s."""


def _from_text(text: str = PLAIN_TEXT) -> Snapshot:
    return snapshot_of_pasted(text, source="a.txt")


def test_text_without_disabled_regions_beside_a_map_with_them() -> None:
    text, whole = _from_text(), _with_smram(0xE000_0000)
    for told in (diff(text, whole), diff(whole, text)):
        assert told.is_empty
        assert told.causes == ()
        assert [note.startswith("a.txt does not show disabled") for note in told.notes] == [True]
    assert diff(text, text).notes == ()
    assert diff(whole, whole).notes == ()


def test_what_moved_since_text_without_disabled_regions() -> None:
    told = diff(_from_text(), _with_smram(0xF000_0000))
    assert [(each.path, each.changes, each.place) for each in told.regions] == [
        (("system", "pci", "nic-mmio"), ("moved",), 0xF000_0000)
    ]
    assert [cause.text for cause in told.causes] == ["BAR nic-mmio moved from e0000000 to f0000000"]
    assert {name for view in told.views for name in view.spaces} == {"memory", "cpu-smm-0"}


def test_a_switch_since_text_without_disabled_regions() -> None:
    told = diff(_from_text(), _with_smram(0xE000_0000, pam="ram"))
    assert {(each.name, each.changes) for each in told.regions} == {
        ("pam-rom", ("removed",)),
        ("pam-ram", ("added",)),
    }
    assert [cause.text for cause in told.causes] == [
        "PAM: C8000-CBFFF changed from RAM for reads only to RAM"
    ]


def test_a_region_without_a_place_that_was_switched_since_the_text() -> None:
    whole = _with_smram(0xE000_0000)
    regions = tuple(
        msgspec.structs.replace(r, enabled=True) if r.name == "smram" else r for r in whole.regions
    )
    (change,) = diff(_from_text(), replace(whole, regions=regions)).regions
    assert (change.path, change.changes) == (("smram",), ("enabled",))


def test_nothing_is_said_of_what_a_text_knows_by_its_name_only() -> None:
    cut = _from_text(PLAIN_TEXT.partition("memory-region: pc.ram")[0])
    assert diff(cut, _with_smram(0xE000_0000)).regions == ()
    assert diff(_with_smram(0xE000_0000), cut).regions == ()


_RANGES = (
    "  0000000000000000-000000000009ffff (prio 0, ram): pc.ram\n"
    "  00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem\n\n"
)
_HEADED = (
    'FlatView #0\n AS "cpu-memory-0", root: system\n AS "memory", root: system\n'
    f" Root memory region: system\n{_RANGES}"
    'FlatView #1\n AS "I/O", root: io\n Root memory region: io\n'
    "  0000000000000000-000000000000ffff (prio 0, i/o): io\n\n"
)


@pytest.mark.parametrize(
    ("lone", "space"),
    [
        (_RANGES, "memory"),
        (f" Root memory region: system\n{_RANGES}", "memory"),
        (" Root memory region: io\n  0000000000000000-000000000000ffff (prio 0, i/o): io\n", "I/O"),
    ],
)
def test_a_view_without_a_heading_is_compared_with_its_twin(lone: str, space: str) -> None:
    headed = snapshot_of_pasted(_HEADED, source="headed")
    assert diff(snapshot_of_pasted(lone, source="lone"), headed).is_empty
    assert diff(headed, snapshot_of_pasted(lone, source="lone")).is_empty
    other = re.sub(r"vga-lowmem|\bio$", "other", lone, flags=re.MULTILINE)
    other = other.replace("region: other", "region: io")
    for one, two in ((other, _HEADED), (_HEADED, other)):
        told = diff(snapshot_of_pasted(one, source="a"), snapshot_of_pasted(two, source="b"))
        assert (told.added, told.removed) == ((), ())
        assert [view.spaces for view in told.views] == [(space,)]


def test_a_tree_without_a_heading_is_compared_with_its_twin() -> None:
    lone = (
        "memory-region: system\n  0000000000000000-ffffffffffffffff (prio 0, i/o): system\n"
        "    0000000000000000-000000000009ffff (prio 0, ram): ram\n"
    )
    headed = lone.replace("memory-region: system", "address-space: memory")
    one, two = (snapshot_of_pasted(text, source="x") for text in (lone, headed))
    assert diff(one, two).is_empty
    moved = snapshot_of_pasted(headed.replace("9ffff", "8ffff"), source="x")
    assert [each.changes for each in diff(one, moved).regions] == [("resized",)]
