"""The dispatch tree of ``info mtree -f -d``: read whole, or refused at the line that is wrong."""

from __future__ import annotations

import pytest

from guestmap.base import PeerError
from guestmap.inspect.map.snapshot import DispatchEntry, DispatchSection
from guestmap.inspect.text.mtree import read_mtree

TEXT = """\
FlatView #0
 AS "memory", root: system
 Root memory region: system
  0000000000000000-0000000000000fff (prio 0, ram): ram
  Dispatch
    Physical sections
      #0 @0000000000000000..ffffffffffffffff (noname) [unassigned]
      #1 @0000000000000000..0000000000000fff ram [not dirty] [ROM] alias=low
    Nodes (2 bits per level, 1 levels) ptr=[0] skip=1
      [0]
\t   0       skip=0  ptr=#1
\t   1..2    skip=1  ptr=[1]
\t   3       skip=1  ptr=NIL
      [1]
\t   0..3    skip=0  ptr=#0

"""


def test_sections_and_nodes_are_read() -> None:
    (view,) = read_mtree(TEXT).views
    told = view.dispatch
    assert told is not None
    assert (told.bits, told.levels, told.root_pointer, told.root_skip) == (2, 1, 0, 1)
    assert told.sections == (
        DispatchSection(0, 1 << 64, "(noname)", ("unassigned",)),
        DispatchSection(0, 0x1000, "ram", ("not dirty", "ROM"), "low"),
    )
    assert told.nodes == (
        (DispatchEntry(0, 0, 0, 1), DispatchEntry(1, 2, 1, 1), DispatchEntry(3, 3, 1, None)),
        (DispatchEntry(0, 3, 0, 0),),
    )


@pytest.mark.parametrize(
    ("right", "wrong", "line", "expected"),
    [
        ("    Physical sections", "    Sections", 6, "'    Physical sections'"),
        ("#0 @", "#1 @", 7, "section #0"),
        ("#1 @", "#2 @", 8, "section #1"),
        ("    Nodes (2", "    Nodes 2", 9, "a section '      #N @START..END NAME' or"),
        ("      [0]\n", "      [1]\n", 10, "node [0]"),
        ("\t   0       skip=0  ptr=#1\n", "", 11, "an entry of the node from 0 on"),
        ("\t   3       skip", "\t   2       skip", 13, "an entry of the node from 3 on"),
        ("      [1]\n", "      [2]\n", 14, "node [1]"),
        ("ptr=#0\n\n", "ptr=\n\n", 15, "an entry of the node from 0 on"),
    ],
)
def test_what_does_not_follow_is_named_with_its_line(
    right: str, wrong: str, line: int, expected: str
) -> None:
    assert TEXT.count(right) == 1
    with pytest.raises(PeerError) as refused:
        read_mtree(TEXT.replace(right, wrong))
    assert f"line {line}: expected {expected}" in str(refused.value)


@pytest.mark.parametrize("lines", range(5, 15))
def test_one_that_is_cut_short_is_refused_at_its_end(lines: int) -> None:
    cut = "".join(TEXT.splitlines(keepends=True)[:lines])
    if lines in (9, 13):  # a node may follow, or none
        assert read_mtree(cut).views[0].dispatch is not None
        return
    with pytest.raises(PeerError, match=f"line {lines + 1}: expected"):
        read_mtree(cut)
