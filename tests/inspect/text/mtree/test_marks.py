"""Marks behind a range are never taken for its name, whatever word they are."""

from __future__ import annotations

import pytest

from guestmap.base import PeerError
from guestmap.inspect.text.mtree import assemble, read_mtree, write_flat
from tests.support.mtree_text import blocks

OWNER = " owner:{mem id=board.ram}"


def view(*ranges: str, kind: str = "ram") -> str:
    lines = (
        f"  {i << 16:016x}-{(i << 16) + 0xFFFF:016x} (prio 0, {kind}): {rest}\n"
        for i, rest in enumerate(ranges)
    )
    return (
        f'FlatView #0\n AS "memory", root: system\n Root memory region: system\n{"".join(lines)}\n'
    )


def read(*ranges: str, kind: str = "ram") -> list[tuple[str, int, tuple[str, ...]]]:
    """Return name, offset and marks of each range; the text must be written as it was."""
    text = view(*ranges, kind=kind)
    assert blocks(write_flat(assemble(read_mtree(text)), owner=True)) == blocks(text)
    (found,) = read_mtree(text).views
    return [(each.name, each.offset_in_region, each.accelerator) for each in found.ranges]


@pytest.mark.parametrize("mark", ["KVM", "kvm", "HVF", "whpx", "mshv", "newaccel", "gzvm"])
def test_behind_an_offset_or_an_owner_any_word_is_a_mark(mark: str) -> None:
    at = " @00000000000c0000"
    assert read(f"board.ram{at} {mark}", f"board.ram{at}{OWNER} {mark} {mark}") == [
        ("board.ram", 0xC0000, (mark,)),
        ("board.ram", 0xC0000, (mark, mark)),
    ]


@pytest.mark.parametrize("mark", ["kvm", "hvf", "newaccel"])
def test_behind_a_name_a_word_is_a_mark_that_is_one_elsewhere(mark: str) -> None:
    found = read(f"low ram {mark}", f"board.ram @0000000000010000 {mark}", "low ram")
    assert found[0] == ("low ram", 0, (mark,))


def test_behind_a_name_that_others_bear_alone_a_word_is_a_mark() -> None:
    assert read("board.ram gzvm gzvm", "board.ram") == [
        ("board.ram", 0, ("gzvm", "gzvm")), ("board.ram", 0, ()),
    ]  # fmt: skip


@pytest.mark.parametrize("times", [1, 2])
def test_a_mark_of_several_words_is_one_too(times: int) -> None:
    mark = "made faster by me"
    words = (*mark.split(" "),) * times
    marks = " ".join(words)
    assert read(
        f"low ram {marks}", f"board.ram {marks}", f"board.ram @0000000000010000 {mark}", "high ram"
    ) == [
        ("low ram", 0, words), ("board.ram", 0, words),
        ("board.ram", 0x10000, (*mark.split(" "),)), ("high ram", 0, ()),
    ]  # fmt: skip
    assert read(f"board.ram {marks}", "board.ram") == [
        ("board.ram", 0, words),
        ("board.ram", 0, ()),
    ]


def test_names_of_several_words_stay_names() -> None:
    assert read("flash bank", "nic rom", "flash bank two") == [
        ("flash bank", 0, ()), ("nic rom", 0, ()), ("flash bank", 0, ("two",)),
    ]  # fmt: skip
    assert read("pci bus", "pci bus memory", kind="i/o") == [
        ("pci bus", 0, ()), ("pci bus memory", 0, ()),
    ]  # fmt: skip


@pytest.mark.parametrize("tail", ["[dirty]", "KVM=1", "owner:{half", "1234", "(what is this)"])
def test_what_is_not_understood_behind_an_offset_is_refused(tail: str) -> None:
    with pytest.raises(PeerError, match=r"line 4: .*nothing but words"):
        read_mtree(view(f"board.ram @00000000000c0000 {tail}"))
