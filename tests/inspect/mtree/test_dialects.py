"""What each version prints: read from its words, written as it would."""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError, PeerError
from guestmap.inspect import Snapshot
from guestmap.inspect.mtree import assemble, dialect_called, read_mtree, write_flat, write_mtree
from guestmap.inspect.mtree.dialects import DIALECTS, dialect_of, versions_of
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


def test_before_5_0_disabled_regions_are_printed_unasked(board: Snapshot) -> None:
    assert "alias off" in write_mtree(board, dialect=dialect_called("4.2"))
    assert "alias off" not in write_mtree(board, dialect=dialect_called("5.0"))


@pytest.mark.parametrize("version", ["2.0", "7.2", "11.1"])
def test_a_text_is_written_again_in_its_own_dialect(board: Snapshot, version: str) -> None:
    text = write_mtree(board, disabled=True, dialect=dialect_called(version))
    again = assemble(read_mtree(text), complete=True)
    assert dialect_of(again).name == {"7.2": "6.2"}.get(version, version)
    assert blocks(write_mtree(again, disabled=True)) == blocks(text)


def test_a_text_with_words_of_two_versions_is_refused(board: Snapshot) -> None:
    new = write_mtree(board, dialect=dialect_called("11.1"))
    old = write_mtree(board, dialect=dialect_called("2.0"))
    with pytest.raises(PeerError, match=r"no version of QEMU has all of the words .*RW.*container"):
        read_mtree(new + old)


@pytest.mark.parametrize("version", ["12.0", "1.9", "newest", "", "111.1"])
def test_an_unknown_version_is_told_which_there_are(version: str) -> None:
    with pytest.raises(ConfigError, match=r"known are the versions 2\.0 to 2\.8, .*11\.1"):
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
    assert versions_of(Snapshot(dialect="2.0")) == ((2, 0), (2, 8))
    assert versions_of(Snapshot(version="guestmap 0.1.0")) == ((2, 0), (11, 1))
