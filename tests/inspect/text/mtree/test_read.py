# ruff: noqa: E501 (the texts are QEMU's lines)
from __future__ import annotations

import gzip
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestmap.base import PeerError
from guestmap.inspect.text.mtree import assemble, read_mtree
from tests.support.corpus import CHECKOUT, Corpus

if TYPE_CHECKING:
    from guestmap.inspect import RegionInfo, Snapshot

PLAIN = """\
address-space: cpu-memory-0
address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000000000000-0000000007ffffff (prio 0, ram): alias ram-below-4g @pc.ram 0000000000000000-0000000007ffffff
    0000000000000000-ffffffffffffffff (prio -1, i/o): pci
      00000000000c0000-00000000000dffff (prio 1, rom): pc.rom

memory-region: pc.ram
  0000000000000000-0000000007ffffff (prio 0, ram): pc.ram

"""

QEMU_2 = """\
address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, RW): system
    0000000000000000-00000000bfffffff (prio 0, RW): alias ram-below-4g @pc.ram 0000000000000000-00000000bfffffff
    00000000000f0000-00000000000fffff (prio 1, R-): alias pam-rom @pc.ram 00000000000f0000-00000000000fffff
    00000000000f0000-00000000000fffff (prio 1, RW): alias pam-ram @pc.ram 00000000000f0000-00000000000fffff [disabled]
    00000000fec00000-00000000fec00fff (prio 0, RW): kvm-ioapic

address-space: cpu
  0000000000000000-ffffffffffffffff (prio 0, RW): system
    0000000000000000-00000000bfffffff (prio 0, RW): alias ram-below-4g @pc.ram 0000000000000000-00000000bfffffff
    00000000000f0000-00000000000fffff (prio 1, R-): alias pam-rom @pc.ram 00000000000f0000-00000000000fffff
    00000000000f0000-00000000000fffff (prio 1, RW): alias pam-ram @pc.ram 00000000000f0000-00000000000fffff [disabled]
    00000000fec00000-00000000fec00fff (prio 0, RW): kvm-ioapic

memory-region: pc.ram
  0000000000000000-00000000bfffffff (prio 0, RW): pc.ram
"""

FLAT = """\
FlatView #0
 AS "memory", root: system
 AS "vga", root: bus master, alias system
 Root memory region: system
  0000000000000000-00000000000bffff (prio 0, ram): pc.ram KVM KVM
  00000000000e0000-00000000000fffff (prio 0, nv-rom): pc.bios @0000000000020000 owner:{dev id=b}

FlatView #1
 AS "nic", root: bus master container
 Root memory region: (none)
  No rendered FlatView

"""


def named(snapshot: Snapshot, name: str) -> RegionInfo:
    (found,) = [region for region in snapshot.regions if region.name == name]
    return found


def test_a_tree_becomes_regions() -> None:
    snapshot = assemble(read_mtree(PLAIN))
    rom, alias, pci = (named(snapshot, n) for n in ("pc.rom", "ram-below-4g", "pci"))
    assert (rom.addr, rom.size, rom.type, rom.readonly) == (0xC0000, 0x20000, "rom", True)
    assert alias.alias == named(snapshot, "pc.ram").id
    assert named(snapshot, "system").children == (alias.id, pci.id)  # by priority
    assert [(s.name, s.root) for s in snapshot.address_spaces] == [
        ("cpu-memory-0", 0),
        ("memory", 0),
    ]
    assert "terminates" in pci.inferred
    assert "readonly" in alias.inferred
    assert rom.inferred == ()


def test_line_ends_do_not_matter() -> None:
    assert assemble(read_mtree(PLAIN.replace("\n", "\r\n"))) == assemble(read_mtree(PLAIN))


def test_the_prompt_around_a_pasted_text_is_passed_over() -> None:
    pasted = f"(qemu) info mtree\n{PLAIN}(qemu) \n"
    assert assemble(read_mtree(pasted)) == assemble(read_mtree(PLAIN))


def test_qemu_2_says_rw_and_prints_a_shared_tree_again() -> None:
    snapshot = assemble(read_mtree(QEMU_2))
    assert [space.root for space in snapshot.address_spaces] == [0, 0]
    rom = named(snapshot, "pam-rom")
    assert (rom.type, named(snapshot, "pam-ram").enabled) == ("rom", False)
    assert "type" in named(snapshot, "pc.ram").inferred
    assert "type" not in rom.inferred


def test_views_with_aliases_accelerator_and_owner() -> None:
    full, empty = read_mtree(FLAT).views
    assert [(u.name, u.alias) for u in full.users] == [("memory", None), ("vga", "system")]
    ram, rom = full.ranges
    assert (ram.name, ram.accelerator, ram.offset_in_region) == ("pc.ram", ("KVM", "KVM"), 0)
    assert (rom.type, rom.nonvolatile, rom.offset_in_region) == ("rom", True, 0x20000)
    assert rom.owner == "owner:{dev id=b}"
    assert (empty.root, empty.ranges) == (None, ())


def test_a_view_alone_without_its_heading() -> None:
    ranges = "".join(line for line in FLAT.splitlines(keepends=True)[4:6])
    (view,) = read_mtree(ranges).views
    assert [each.name for each in view.ranges] == ["pc.ram", "pc.bios"]


def test_a_line_below_nothing_shows_a_hidden_region() -> None:
    text = """\
address-space: I/O
  0000000000000000-000000000000ffff (prio 0, i/o): io
      0000000000000600-0000000000000603 (prio 0, i/o): acpi-evt
    0000000000000cf8-0000000000000cfb (prio 0, i/o): pci-conf-idx
"""
    snapshot = assemble(read_mtree(text))
    hidden = named(snapshot, "(hidden)")
    assert not hidden.enabled
    assert {"name", "addr", "size"} <= set(hidden.inferred)
    assert [snapshot.regions[i].name for i in hidden.children] == ["acpi-evt"]
    assert [snapshot.regions[i].name for i in named(snapshot, "io").children] == [
        "(hidden)",
        "pci-conf-idx",
    ]


def _line(level: int, start: int, name: str, end: int = 0) -> str:
    return f"{'  ' * level}{start:016x}-{end or start + 0xF:016x} (prio 0, i/o): {name}\n"


ALIAS_OF_REGS = "alias regs-alias @regs 0000000000000000-000000000000000f"
ROOT = "address-space: memory\n" + _line(1, 0, "system", 0xFFFF)
BUS = ROOT + _line(2, 0x80, "bus", 0xFFF)


@pytest.mark.parametrize(
    ("lines", "tree"),
    [
        (ROOT + _line(2, 0x100, ALIAS_OF_REGS) + _line(3, 0x200, "x"),
         {"system": ["regs-alias", "?"], "?": ["x"]}),
        (ROOT + _line(2, 0x100, ALIAS_OF_REGS) + _line(4, 0x200, "x"),
         {"system": ["regs-alias", "?"], "?": ["??"], "??": ["x"]}),
        (BUS + _line(3, 0x100, ALIAS_OF_REGS) + _line(5, 0x200, "x"),
         {"system": ["bus"], "bus": ["regs-alias", "?"], "?": ["??"], "??": ["x"]}),
        (BUS + _line(3, 0x100, ALIAS_OF_REGS) + _line(5, 0x90, "x"),  # before the alias: not in bus
         {"system": ["bus", "?"], "bus": ["regs-alias"], "?": ["??"], "??": ["???"], "???": ["x"]}),
        (BUS + _line(3, 0x90, ALIAS_OF_REGS) + _line(3, 0x100, "y") + _line(5, 0x108, "x", 0x109),
         {"system": ["bus"], "bus": ["regs-alias", "y"], "y": ["?"], "?": ["x"]}),
    ],
)  # fmt: skip
def test_levels_without_a_line_are_hidden_where_they_can_be(
    lines: str, tree: dict[str, list[str]]
) -> None:
    regions = assemble(read_mtree(lines + "\nmemory-region: regs\n" + _line(1, 0, "regs"))).regions
    hidden = [region.id for region in regions if region.name == "(hidden)"]
    names = {r.id: "?" * (hidden.index(r.id) + 1) if r.id in hidden else r.name for r in regions}
    found = {names[r.id]: [names[i] for i in r.children] for r in regions if r.children}
    assert found == tree


@pytest.mark.parametrize(
    ("lines", "number", "above"),
    [
        (ROOT + _line(2, 0x100, ALIAS_OF_REGS) + _line(4, 0x90, "x"), 4, "system"),
        (BUS + _line(3, 0x100, ALIAS_OF_REGS) + _line(5, 0x70, "x"), 5, "system"),
        ("address-space: memory\n" + _line(1, 0, ALIAS_OF_REGS) + _line(3, 0, "x"), 3, "regs-alias"),
    ],
)  # fmt: skip
def test_levels_that_can_be_nowhere_are_refused(lines: str, number: int, above: str) -> None:
    text = lines + "\nmemory-region: regs\n" + _line(1, 0, "regs")
    with pytest.raises(
        PeerError, match=f"line {number}: expected a region that can be below '{above}'"
    ):
        assemble(read_mtree(text))


def test_equal_names_are_told_apart_by_the_order_of_the_sections() -> None:
    text = """\
address-space: a
  0000000000000000-00000000000000ff (prio 0, ram): alias x @ram 0000000000000000-00000000000000ff

address-space: b
  0000000000000000-0000000000000fff (prio 0, ram): alias y @ram 0000000000000000-0000000000000fff

memory-region: ram
  0000000000000000-00000000000000ff (prio 0, ram): ram

memory-region: ram
  0000000000000000-0000000000000fff (prio 0, ram): ram
"""
    snapshot = assemble(read_mtree(text))
    x, y = named(snapshot, "x"), named(snapshot, "y")
    assert x.alias is not None
    assert y.alias is not None
    assert (snapshot.regions[x.alias].size, snapshot.regions[y.alias].size) == (0x100, 0x1000)
    assert "alias" in x.inferred


def test_a_section_that_prints_a_region_again_is_that_region() -> None:
    text = PLAIN.replace("@pc.ram", "@pci").replace("ram): alias", "i/o): alias")
    text = text[: text.index("memory-region")] + (
        "memory-region: pci\n"
        "  0000000000000000-ffffffffffffffff (prio -1, i/o): pci\n"
        "    00000000000c0000-00000000000dffff (prio 1, rom): pc.rom\n"
    )
    snapshot = assemble(read_mtree(text))
    assert named(snapshot, "ram-below-4g").alias == named(snapshot, "pci").id
    assert named(snapshot, "pci").id in named(snapshot, "system").children


APART = """\
address-space: memory
  0000000000000000-000000000000ffff (prio 0, i/o): system
    0000000000000000-00000000000000ff (prio 0, i/o): bank
      0000000000000000-000000000000000f (prio 0, i/o): alias low @cell 0000000000000000-000000000000000f
    0000000000001000-00000000000010ff (prio 0, i/o): alias window @bank 0000000000000000-00000000000000ff

memory-region: cell
  0000000000000000-000000000000000f (prio 0, i/o): cell

memory-region: bank
  0000000000000000-00000000000000ff (prio 0, i/o): bank
    0000000000000000-000000000000000f (prio 0, i/o): alias low @cell 0000000000000000-000000000000000f

memory-region: cell
  0000000000000000-000000000000000f (prio 0, i/o): cell
"""


def test_regions_that_look_alike_are_two_where_a_section_would_be_without_an_alias() -> None:
    """A second ``cell`` is shown by nothing unless the section's ``bank`` is not the tree's."""
    regions = assemble(read_mtree(APART), complete=True).regions
    system, window = regions[0], next(each for each in regions if each.name == "window")
    assert window.alias is not None
    banks = [regions[i] for i in (system.children[0], window.alias)]
    assert [bank.name for bank in banks] == ["bank", "bank"]
    cells = [regions[bank.children[0]].alias for bank in banks]
    assert None not in cells
    assert len(set(cells)) == 2
    assert len(regions) == 8  # no other, nor a hidden one
    one = APART[: APART.rindex("memory-region")]  # without it they are one
    assert len(assemble(read_mtree(one), complete=True).regions) == 5


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("(prio -1, i/o): pci", "(prio -1, i/o) pci", r"line 5: expected 'START-END"),
        ("(prio -1, i/o)", "(prio -1, iou)", r"line 5: expected 'START-END"),
        ("      00000000000c0000", "     00000000000c0000", r"line 6: expected an indentation"),
        ("    0000000000000000-0000000007ffffff", "  0000000000000000-0000000007ffffff",
         "line 4: expected one tree in a block"),
        ("00000000000c0000-00000000000dffff", "00000000000c0000-00000000000bffff",
         "line 6: expected an end that is not below"),
        ("0000000000000000-0000000007ffffff\n    ", "0000000000000000-0000000006ffffff\n    ",
         "line 4: expected an alias window of 128 MiB"),
        ("memory-region: pc.ram", "memory-regions: pc.ram", "line 8: expected 'address-space"),
        ("memory-region: pc.ram\n  0", "", "line 8: expected"),
        ("@pc.ram", "@pc.rom", "line 4: alias 'ram-below-4g' shows 'pc.rom', but no section"),
        ("\n\nmemory", "\nmemory", "line 7: expected"),
        ("): pci\n", "): pci owner:{dev id=a} x\n", "line 5: expected an owner at the end of the line"),
        ("): pci\n", "): pci parent:{obj id=a} x\n", "line 5: expected an owner at the end of the line"),
        (" @pc.ram", " owner:{dev id=a} @pc.ram", "line 4: expected an owner at the end of the line"),
    ],
)  # fmt: skip
def test_a_malformed_tree_is_refused_with_its_line(old: str, new: str, complaint: str) -> None:
    assert old in PLAIN
    with pytest.raises(PeerError, match=complaint):
        assemble(read_mtree(PLAIN.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("FlatView #0", "FlatView", "line 1: expected 'address-space"),
        (" Root memory region: system\n", "", "line 4: expected .* Root memory region"),
        ("00000000000e0000-", "00000000000a0000-", "line 6: expected a range that starts at"),
        ("  No rendered FlatView\n", "", "line 11: expected a range or"),
        ("(prio 0, nv-rom)", "(prio 0, R-)", "line 6: expected"),
    ],
)  # fmt: skip
def test_a_malformed_view_is_refused_with_its_line(old: str, new: str, complaint: str) -> None:
    assert old in FLAT
    with pytest.raises(PeerError, match=complaint):
        read_mtree(FLAT.replace(old, new, 1))


def test_where_disabled_regions_are_printed_no_level_may_be_missing() -> None:
    text = PLAIN.replace("pc.rom\n", "pc.rom [disabled]\n")
    assemble(read_mtree(text))
    with pytest.raises(PeerError, match="line 6: expected an indentation of at most 3 levels"):
        assemble(read_mtree(text.replace("      00000000000c0000", "        00000000000c0000")))


def test_an_empty_text_is_refused() -> None:
    with pytest.raises(PeerError, match="found nothing"):
        read_mtree("\r\n\r\n")


def _lines() -> list[str]:
    data = next(d for n, d in Corpus(CHECKOUT / "tests" / "golden").files("q35.json.gz"))
    texts = json.loads(gzip.decompress(data))["texts"]
    return re.split(r"(?<=\n)", texts["-o"] + texts["-f -d"])


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_text_is_read_or_refused_never_anything_else(data: st.DataObject) -> None:
    lines = _lines()
    start = data.draw(st.integers(0, len(lines) - 1))
    part = lines[start : start + 60]
    for _ in range(data.draw(st.integers(0, 3))):
        index = data.draw(st.integers(0, len(part) - 1))
        line = part[index]
        cut = data.draw(st.integers(0, len(line)))
        part[index] = line[:cut] + data.draw(st.text(max_size=3)) + line[cut + 1 :]
    with suppress(PeerError):
        assemble(read_mtree("".join(part))).check()


QEMU_11_1 = """\
address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, container): system
    0000000009000000-0000000009000fff (prio 0, i/o): uart
    000000003eff0000-000000003effffff (prio 0, container): alias ports @ports 0000000000000000-000000000000ffff

memory-region: ports
  0000000000000000-000000000000ffff (prio 0, container): ports

FlatView #0
 AS "memory", root: system
 Root memory region: system
  0000000009000000-0000000009000fff (prio 0, i/o): uart
  000000003eff0000-000000003effffff (prio 0, container): ports
"""


def test_qemu_11_1_says_container_of_what_lies_in_no_region() -> None:
    """The word tells nothing of answering: the ports do, as the view shows."""
    text = read_mtree(QEMU_11_1)
    snapshot = assemble(text)
    assert [line.word for line in text.trees[0].lines] == ["container", "i/o", "container"]
    assert text.dialect is not None
    assert text.dialect.name == snapshot.dialect == "11.1"
    assert [region.type for region in snapshot.regions] == ["i/o"] * 4
    ports = snapshot.regions[-1]
    assert (ports.name, ports.terminates) == ("ports", True)
    assert [each.type for each in text.views[0].ranges] == ["i/o", "i/o"]


def nested(levels: int) -> str:
    lines = (f"{'  ' * (i + 1)}{0:016x}-{'f' * 16} (prio 0, i/o): c{i}\n" for i in range(levels))
    return f"address-space: memory\n{''.join(lines)}"


def test_a_tree_is_read_to_a_depth_that_is_said() -> None:
    assert len(assemble(read_mtree(nested(1000))).regions) == 1000
    with pytest.raises(PeerError, match=r"line 1002: expected at most 1000 regions in one another"):
        read_mtree(nested(1001))


DEVICE_MEMORY = """\
address-space: device-memory
  0000000100000000-000000017fffffff (prio 0, i/o): device-memory
    0000000100000000-000000013fffffff (prio 0, ram): m0

address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000100000000-000000017fffffff (prio 0, i/o): device-memory
      0000000100000000-000000013fffffff (prio 0, ram): m0
"""


def test_a_root_that_lies_in_another_tree_is_one_region() -> None:
    """So a DIMM that two address spaces show is one DIMM."""
    snapshot = assemble(read_mtree(DEVICE_MEMORY), complete=True)
    assert [region.name for region in snapshot.regions] == ["system", "device-memory", "m0"]
    assert [(s.name, s.root) for s in snapshot.address_spaces] == [
        ("device-memory", 1), ("memory", 0),
    ]  # fmt: skip
    apart = DEVICE_MEMORY.replace("17fffffff", "1ffffffff", 1)  # of another size: another region
    assert len(assemble(read_mtree(apart), complete=True).regions) == 5


@pytest.mark.parametrize(
    "first",
    [
        "",
        f"address-space: nic\n{_line(1, 0, ALIAS_OF_REGS.replace('@regs', '@system'))}\n",
        f"address-space: bus\n{_line(1, 0x100, 'bus', 0x1FF)}{_line(2, 0x100, 'x')}\n",
    ],
)
def test_what_only_a_hidden_alias_shows_hangs_where_a_region_can_hold_it(first: str) -> None:
    """No alias does, nor what is printed here and lies in another tree."""
    text = first + ROOT + _line(2, 0x100, "bus", 0x1FF) + _line(3, 0x100, "x") + "\n"
    text += "memory-region: system\n" + "".join(ROOT.splitlines(keepends=True)[1:])
    text += _line(2, 0x100, "bus", 0x1FF) + _line(3, 0x100, "x") + "\n"
    text += f"memory-region: regs\n{_line(1, 0, 'regs')}"
    snapshot = assemble(read_mtree(text), complete=False)
    regs = named(snapshot, "regs")
    (hidden,) = [each for each in snapshot.regions if each.alias == regs.id]
    assert (hidden.name, hidden.enabled) == ("(hidden)", False)
    (holder,) = [each for each in snapshot.regions if hidden.id in each.children]
    assert holder.name == "system"
