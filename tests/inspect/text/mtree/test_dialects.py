"""What each version prints: read from its words, written as it would."""

from __future__ import annotations

import re

import pytest

from guestmap.base import ConfigError, PeerError
from guestmap.inspect import Snapshot
from guestmap.inspect.text.from_text import snapshot_of_pasted
from guestmap.inspect.text.mtree import (
    assemble,
    dialect_called,
    read_mtree,
    write_flat,
    write_mtree,
)
from guestmap.inspect.text.mtree.dialects import DIALECTS, dialect_of, versions_of
from guestmap.inspect.text.pasted import read_pasted
from guestmap.memory import MemorySystem
from tests.support.mtree_text import blocks


@pytest.fixture
def board() -> Snapshot:
    """A root that holds an I/O window, read-only RAM shown by an alias, and a root that answers."""
    memory = MemorySystem()
    system, ports = memory.container("system", 1 << 64), memory.io("io", 0x10000, None)
    bus, ram = memory.container("bus", 1 << 32), memory.ram("ram", 0x10000, backed=False)
    shadow = memory.alias("shadow", ram, 0xF000, 0x1000)
    shadow.set_readonly(True)
    system.add_subregion(0, bus)
    bus.add_subregion(0, ram)
    bus.add_subregion(0xFF000, shadow)
    system.add_subregion(1 << 40, memory.alias("ports", ports, 0, 0x10000))
    system.add_subregion(1 << 41, memory.alias("again", bus, 0, 0x1000))
    off = memory.alias("off", ram, 0, 0x1000)
    off.set_enabled(False)
    system.add_subregion(1 << 42, off)
    for name in ("memory", "cpu-memory-0"):
        memory.address_space(name, system)
    memory.address_space("I/O", ports)
    return Snapshot.of(memory)


def words(text: str) -> dict[str, str]:
    """Return the word for the type by region, as the first line of each has it."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if "(prio" in line:
            kind, rest = line.split(", ", 1)[1].split("): ", 1)
            name = rest.split(" @")[0].split(" [")[0].removeprefix("alias ")
            found.setdefault(name, kind)
    return found


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("11.1", {"system": "container", "io": "container", "ports": "container",
                  "bus": "i/o", "again": "i/o", "ram": "ram", "shadow": "ram"}),
        ("10.0", {"system": "i/o", "io": "i/o", "ports": "i/o",
                  "bus": "i/o", "again": "i/o", "ram": "ram", "shadow": "ram"}),
        ("2.5", {"system": "RW", "io": "RW", "ports": "RW",
                 "bus": "RW", "again": "RW", "ram": "RW", "shadow": "R-", "off": "RW"}),
    ],
)  # fmt: skip
def test_the_words_of_a_version(board: Snapshot, version: str, expected: dict[str, str]) -> None:
    """An alias has its target's word; but accesses are its own."""
    assert words(write_mtree(board, dialect=dialect_called(version))) == expected


def test_a_view_says_which_of_its_regions_lie_in_no_other(board: Snapshot) -> None:
    text = write_flat(board, dialect=dialect_called("11.1"))
    assert "0000000000000000-000000000000ffff (prio 0, container): io\n" in text
    assert "(prio 0, ram): ram\n" in text
    assert assemble(read_mtree(text)).dialect == "11.1"
    again = assemble(read_mtree(write_mtree(board)), read_mtree(write_flat(board)))
    assert write_flat(again, dialect=dialect_called("11.1")) == text  # by the trees' names


@pytest.mark.parametrize(
    ("version", "headings"),
    [("6.2", ["cpu-memory-0\naddress-space: memory", "I/O"]),
     ("6.1", ["cpu-memory-0", "memory", "I/O"])],
)  # fmt: skip
def test_since_6_2_a_shared_tree_is_printed_once(
    board: Snapshot, version: str, headings: list[str]
) -> None:
    text = write_mtree(board, dialect=dialect_called(version))
    found = [block.split("\n  ")[0] for block in text.split("\n\n") if "address-space" in block]
    assert found == [f"address-space: {each}" for each in headings]


@pytest.mark.parametrize(
    ("version", "shown"),
    [("2.3", False), ("2.4", True), ("4.2", True), ("5.0", True), ("5.1", False), ("9.2", False)],
)
def test_from_2_4_to_5_0_disabled_regions_are_printed_unasked(
    board: Snapshot, version: str, shown: bool
) -> None:
    assert ("alias off" in write_mtree(board, dialect=dialect_called(version))) is shown


UP_TO_2_3 = (
    "memory\n"
    "0000000000000000-ffffffffffffffff (prio 0, RW): system\n"
    "  0000000000000000-0000000000000fff (prio 0, RW): alias low @ram"
    " 0000000000000000-0000000000000fff\n"
    "  0000000000003000-0000000000003fff (prio 0, RW): last\n"
    "aliases\n"
    "ram\n"
    "0000000000000000-000000000000ffff (prio 0, RW): ram\n"
)


def test_up_to_2_3_headings_are_names_and_nothing_disabled_has_a_line() -> None:
    memory = MemorySystem()
    system, ram = memory.container("system", 1 << 64), memory.ram("ram", 0x10000, backed=False)
    system.add_subregion(0, memory.alias("low", ram, 0, 0x1000))
    off = memory.container("off", 0x2000)
    off.add_subregion(0, memory.io("inside", 0x1000, None))
    off.set_enabled(False)
    system.add_subregion(0x1000, off)
    system.add_subregion(0x3000, memory.io("last", 0x1000, None))
    memory.address_space("memory", system)
    text = write_mtree(Snapshot.of(memory), disabled=True, dialect=dialect_called("2.0"))
    assert text == UP_TO_2_3
    read = read_pasted(text).text
    assert read.dialect == dialect_called("1.1")
    assert [block.names for block in read.trees] == [("memory",), ("ram",)]


FIRST = (
    "memory\n"
    "0000000000000000-7ffffffffffffffe (prio 0): system\n"
    "  0000000000000000-0000000000000fff (prio 0): alias low @ram"
    " 0000000000000000-0000000000000fff\n"
    "  0000000000002000-0000000000002fff (prio 1): uart\n"
    "ram\n"
    "0000000000000000-000000000000ffff (prio 0): ram\n"
    "I/O\n"
    "0000000000000000-000000000000ffff (prio 0): io\n"
    "  0000000000000070-0000000000000071 (prio 0): rtc\n"
)
"""QEMU 1.0's form: no word at all for a type, and alias targets between the address spaces."""


@pytest.mark.parametrize(
    "decorated",
    [
        str,
        lambda text: f"(qemu) info mtree\n{text}(qemu) quit\n",
        lambda text: "".join(f"> {line}\n" for line in text.splitlines()),
        lambda text: text.replace("(prio 0)", "(prio 0, RW)").replace("(prio 1)", "(prio 1, RW)"),
        lambda text: re.sub(r"\b0{8}(?=[0-9a-f]{8}\b)|\b7f{7}(?=f{7}e)", "", text),
    ],
)
def test_names_that_head_alias_targets_are_told_from_address_spaces(decorated) -> None:
    text = decorated(FIRST)
    found = snapshot_of_pasted(text, source="mail")
    assert found.dialect == ("1.1" if "RW" in text else "1.0")
    regions = found.regions
    spaces = {space.name: regions[space.root].name for space in found.address_spaces}
    assert spaces == {"memory": "system", "I/O": "io"}
    alias = next(each for each in regions if each.name == "low")
    assert regions[alias.alias].name == "ram"
    assert next(each for each in regions if each.name == "uart").addr == 0x2000
    assert "type" in next(each for each in regions if each.name == "ram").inferred


def test_the_first_form_is_written_as_it_was(board: Snapshot) -> None:
    text = write_mtree(board, dialect=dialect_called("1.0"))
    assert ", RW" not in text
    assert "  0000000000000000-000000000000ffff (prio 0): ram\n" in text
    spaces = [each.name for each in snapshot_of_pasted(text, source="").address_spaces]
    assert sorted(spaces) == ["I/O", "cpu-memory-0", "memory"]


def test_one_name_twice_without_a_line_above_targets_is_a_second_listing() -> None:
    with pytest.raises(PeerError, match=r"line 10: a second listing begins here, .* at line 1:"):
        read_pasted(FIRST + FIRST)


NEW_IN = {
    "2.9": "(prio 0, ram): ram",
    "3.1": "(prio 0, nv-ram): ram",
    "11.1": "(prio 0, container): system",
}


@pytest.mark.parametrize(("version", "before"), [("2.9", "2.8"), ("3.1", "3.0"), ("11.1", "10.0")])
def test_what_a_version_prints_its_predecessor_does_not(version: str, before: str) -> None:
    memory = MemorySystem()
    system, ram = memory.container("system", 1 << 64), memory.ram("ram", 0x10000, backed=False)
    if version == "3.1":
        ram.set_nonvolatile(True)
    system.add_subregion(0, ram)
    memory.address_space("memory", system)
    taken = Snapshot.of(memory)
    assert NEW_IN[version] in write_mtree(taken, dialect=dialect_called(version))
    assert NEW_IN[version] not in write_mtree(taken, dialect=dialect_called(before))


_SPACE, _LINE = "address-space: memory\n", "  0000000000000000-0000000000000fff (prio 0, "
_VIEW = 'FlatView #0\n AS "memory", root: system\n Root memory region: system\n' + _LINE
FORMS = {
    "1.0": (FIRST, "1.0"),
    "1.x": (UP_TO_2_3, "1.1"),
    "2.4": (f"{_SPACE}{_LINE}R-): rom\n", "2.4"),
    "2.9": (f"address-space (flat view): memory\n{_LINE}ram): ram @0000000000001000\n", "2.9"),
    "3.x": (f"{_VIEW}ram): ram parent:{{obj path=/objects/ram}}\n", ""),
    "4.x": (f"{_VIEW}nv-ram): ram KVM\n", ""),
    "5.x": (f"{_SPACE}{_LINE}i/o): io [disabled]\n", ""),
    "6.x": (f"{_SPACE}{_LINE}i/o): io\n\naddress-space: b\n{_LINE}i/o): io\n", ""),
    "8.x": (f"{_SPACE}address-space: b\n{_LINE}i/o): io\n", "6.2"),
    "9.x": (f"memory-region: ram\n{_LINE}romd): ram\n", ""),
}
"""By version a text in its form, and the dialect that this text alone tells ("": several do)."""


@pytest.mark.parametrize("version", FORMS)
def test_texts_of_all_versions_are_read(version: str) -> None:
    text, said = FORMS[version]
    found = read_pasted(text).text.dialect
    assert (found.name if found else "") == said


@pytest.mark.parametrize("version", ["2.4", "7.2", "11.1"])
def test_a_text_is_written_again_in_its_own_dialect(board: Snapshot, version: str) -> None:
    text = write_mtree(board, disabled=True, dialect=dialect_called(version))
    again = assemble(read_mtree(text), complete=True)
    assert dialect_of(again).name == {"7.2": "6.2"}.get(version, version)
    assert blocks(write_mtree(again, disabled=True)) == blocks(text)


def test_a_text_with_words_of_two_versions_is_refused(board: Snapshot) -> None:
    new = write_mtree(board, dialect=dialect_called("11.1"))
    old = write_mtree(board, dialect=dialect_called("2.4"))
    with pytest.raises(PeerError, match=r"no version of QEMU has all of the words .*RW.*container"):
        read_mtree(new + old)


@pytest.mark.parametrize("version", ["12.0", "0.15", "newest", "", "111.1"])
def test_an_unknown_version_is_told_which_there_are(version: str) -> None:
    with pytest.raises(ConfigError, match=r"known are the versions 1\.0, 1\.1 to 2\.3, .*11\.1"):
        dialect_called(version)


def test_flat_views_of_old_versions_are_not_invented(board: Snapshot) -> None:
    for version in ("2.4", "2.9"):
        with pytest.raises(ConfigError, match=r"2\.11 and later"):
            write_flat(board, dialect=dialect_called(version))


def test_versions_follow_each_other() -> None:
    known = [(each.since, each.until) for each in DIALECTS]
    assert known == sorted(known)
    assert all(since <= until for since, until in known)
    assert versions_of(Snapshot(version="7.2.22")) == ((7, 2), (7, 2))
    assert versions_of(Snapshot(dialect="2.5")) == ((2, 4), (2, 8))
    assert versions_of(Snapshot(version="guestmap 0.1.0")) == ((1, 0), (11, 1))
