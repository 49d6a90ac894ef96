"""What of a listing makes one block, and what goes from behind its lines."""

from __future__ import annotations

import pytest

from guestmap.inspect.text.pasted import read_pasted

VIEW_HEADING = 'FlatView #0\n AS "memory", root: system\n Root memory region: system\n'
TREE_HEADING = "address-space: memory\n"
PROSE = "\nSo far the first part of what I found.\n\n"


def region(indent: int, first: int, last: int, name: str) -> str:
    return f"{' ' * indent}{first:016x}-{last:016x} (prio 0, i/o): {name}\n"


VIEW = region(2, 0, 0xFFF, "flash") + region(2, 0x2000, 0x2FFF, "rng")
TREE = region(2, 0, 0xFFFF, "system") + region(4, 0, 0xFFF, "flash")


@pytest.mark.parametrize("heading", ["", VIEW_HEADING])
@pytest.mark.parametrize(
    ("first", "goes_on"), [(0x3000, True), (0x2FFF, False), (0x2000, False), (0, False)]
)
def test_behind_prose_a_view_goes_on_with_what_lies_above_it(
    heading: str, first: int, goes_on: bool
) -> None:
    read = read_pasted(heading + VIEW + PROSE + region(2, first, 0x3FFF, "uart"))
    names = [[each.name for each in view.ranges] for view in read.text.views]
    assert names == ([["flash", "rng", "uart"]] if goes_on else [["flash", "rng"], ["uart"]])


@pytest.mark.parametrize("heading", ["", TREE_HEADING])
@pytest.mark.parametrize(("first", "last"), [(0x2000, 0x2FFF), (0, 0xFFF)])
def test_behind_prose_a_tree_goes_on_with_what_is_indented_deeper_than_its_root(
    heading: str, first: int, last: int
) -> None:
    read = read_pasted(heading + TREE + PROSE + region(4, first, last, "uart"))
    names = [[each.name for each in tree.lines] for tree in read.text.trees]
    assert names == [["system", "flash", "uart"]]


@pytest.mark.parametrize("first", [0, 0xFFFF, 0x10000])
def test_behind_prose_a_root_begins_another_tree(first: int) -> None:
    other = region(2, first, 0x1FFFF, "ports") + region(4, first, first + 3, "uart")
    for heading in ("", TREE_HEADING):
        read = read_pasted(heading + TREE + PROSE + other)
        names = [[each.name for each in tree.lines] for tree in read.text.trees]
        assert names == [["system", "flash"], ["ports", "uart"]]


@pytest.mark.parametrize(
    "remark", [" <--- here", " <=== here", "  // here", "  # here", "  /* here */"]
)
@pytest.mark.parametrize("count", [1, 2])
def test_remarks_behind_lines_are_counted(remark: str, count: int) -> None:
    lines = (VIEW_HEADING + VIEW + region(2, 0x3000, 0x3FFF, "uart")).splitlines()
    for index in range(count):
        lines[-1 - index] += remark
    read = read_pasted("\n".join(lines) + "\n")
    assert [each.name for each in read.text.views[0].ranges] == ["flash", "rng", "uart"]
    assert read.notes == (f"removed remarks behind {count} line{'s' * (count > 1)}",)


@pytest.mark.parametrize("content", ["owner:{dev id=a}", "[disabled]"])
def test_what_is_a_part_of_a_region_is_behind_no_remark(content: str) -> None:
    kept = f"flash <-- {content}"
    read = read_pasted(TREE_HEADING + TREE.replace("flash", kept))
    assert read.notes == ()
    assert read.text.trees[0].lines[-1].name.startswith("flash <--")


@pytest.mark.parametrize("told", ["", "\x1b[K", "\x1b[0m\x1b[K", "\x00"])
def test_the_next_prompt_on_the_last_line_is_none_of_its_name(told: str) -> None:
    """Nor is what a terminal was told before it."""
    read = read_pasted(f"{VIEW_HEADING}{VIEW.rstrip()} {told}(qemu)\n")
    assert [each.name for each in read.text.views[0].ranges] == ["flash", "rng"]
    told_of = "removed characters that a terminal, a page or an editor added"
    assert read.notes == ((told_of,) if told else ())
