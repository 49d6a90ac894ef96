"""What of a listing makes one block, and what goes from behind its lines."""

from __future__ import annotations

import pytest

from guestmap.base import PeerError
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


@pytest.mark.parametrize(
    "words", ["See 0000000000002000 below.", "Here owner:{x} is odd.", "Well", "And so"]
)
def test_where_lines_were_broken_words_between_regions_may_be_a_part_of_one(words: str) -> None:
    text = f"{VIEW_HEADING}{VIEW}\n{words}\n\n{region(2, 0x3000, 0x3FFF, 'uart')}"
    read = read_pasted(text)
    assert [each.name for each in read.text.views[0].ranges] == ["flash", "rng", "uart"]
    assert read.notes == ("removed 1 line that is no part of it",)
    number = text[: text.index(words)].count("\n") + 2  # one line more, of the one that is broken
    with pytest.raises(PeerError, match=f"line {number}: expected a line of 'info mtree'"):
        read_pasted(text.replace("): flash", "):\nflash"))


@pytest.mark.parametrize("words", ["Not so here.", "Here it goes on", "That is all there is to it"])
def test_three_words_and_more_between_regions_are_somebodys(words: str) -> None:
    broken = VIEW.replace("): flash", "):\nflash")
    read = read_pasted(f"{VIEW_HEADING}{broken}\n{words}\n\n{region(2, 0x3000, 0x3FFF, 'uart')}")
    assert [each.name for each in read.text.views[0].ranges] == ["flash", "rng", "uart"]
    assert read.notes == ("removed 1 line break, 1 line that is no part of it",)


@pytest.mark.parametrize("indent", [0, 2, 6])
@pytest.mark.parametrize("name", ["crypto engine", "crypto-engine-of-the-long-board registers"])
@pytest.mark.parametrize("end", ["vm1: {}", "| {:99} |", "{:99}│"])
def test_where_more_stood_on_each_line_its_width_does_not_tell_how_a_name_was_broken(
    end: str, name: str, indent: int
) -> None:
    broken = region(2, 0x3000, 0x3FFF, name.replace(" ", f"\n{' ' * indent}"))
    text = VIEW_HEADING + VIEW + broken + region(2, 0x4000, 0x4FFF, "uart-16550")
    with pytest.raises(PeerError, match=r"line 7: cannot tell whether .* as one word or two"):
        read_pasted("".join(f"{end.format(line)}\n" for line in text.splitlines()))


@pytest.mark.parametrize("end", ["| {:99} |", "{:99} │", "{};", "{}"])
@pytest.mark.parametrize("fence", ["", "```", "~~~", "[/code]", "{noformat}"])
def test_a_fence_hides_no_frame_of_coloured_lines(end: str, fence: str) -> None:
    lines = [f"\x1b[0;32m{end.format(line)}\x1b[0m" for line in (VIEW_HEADING + VIEW).splitlines()]
    read = read_pasted("\n".join(lines) + f"{fence}\n\nOh.\n")
    assert [each.name for each in read.text.views[0].ranges] == ["flash", "rng"]


DISPATCH = (
    "  Dispatch\n    Physical sections\n"
    "      #0 @0000000000000000..ffffffffffffffff (noname) [unassigned]\n"
    "    Nodes (9 bits per level, 6 levels) ptr=[0] skip=6\n"
    "      [0]\n        0..511   skip=0  ptr=#0\n"
)
LEFT_OUT = "lines were left out by whoever pasted the text: what was there is not known"
QUOTED = "".join(f"> {line}\n" for line in (VIEW_HEADING + VIEW).splitlines())


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (VIEW_HEADING + VIEW + DISPATCH, "removed dispatch trees"),
        (VIEW_HEADING + VIEW + DISPATCH + "...\n",
         f"removed dispatch trees; at 1 place {LEFT_OUT}"),
        (VIEW_HEADING + VIEW + "\nSo far.\n", "removed 1 line that is no part of it"),
        (VIEW_HEADING + VIEW + "\nSo far.\n\nIs that all?\n",
         "removed 2 lines that are no part of it"),
        (QUOTED, "removed quoting from 5 lines"),
        (f"{VIEW_HEADING}{VIEW}{DISPATCH}\nSo far.\n",
         "removed dispatch trees, 1 line that is no part of it"),
        ("".join(f"> {line}\n" for line in DISPATCH.splitlines()).join((QUOTED, "")),
         "removed quoting from 11 lines, dispatch trees"),
        ("".join(f"vm1: {line}\n" for line in (VIEW_HEADING + VIEW).splitlines()),
         "removed what stood before every line"),
        ("".join(f"{line:99}|\n" for line in (VIEW_HEADING + VIEW).splitlines()),
         "removed what stood behind every line"),
        ((VIEW_HEADING + VIEW).replace(" (prio", "\n(prio", 1), "removed 1 line break"),
        ((VIEW_HEADING + VIEW).replace(" (prio", "\n(prio"), "removed 2 line breaks"),
        (VIEW_HEADING + VIEW.replace("  0000000000002000", "[...]\n  0000000000002000")
         + "[...]\n",
         f"at 2 places {LEFT_OUT}"),
    ],
)  # fmt: skip
def test_the_note_says_what_was_removed_and_what_is_missing(text: str, note: str) -> None:
    read = read_pasted(text)
    assert [each.name for each in read.text.views[0].ranges] == ["flash", "rng"]
    assert read.notes == (note,)


@pytest.mark.parametrize("prefix", ["vm1: ", "12:00 host: "])
@pytest.mark.parametrize("marked", [(True, True), (False, False), (True, False), (False, True)])
def test_rests_of_broken_lines_all_bear_what_stands_before_others_or_none_does(
    prefix: str, marked: tuple[bool, bool]
) -> None:
    text = "".join(f"{prefix}{line}\n" for line in VIEW_HEADING.splitlines())
    for start, name, mark in ((0x2000, "rng", marked[0]), (0x3000, "uart", marked[1])):
        text += prefix + region(2, start, start + 0xFFF, name)
        text += f"{prefix * mark}@{start:016x}\n"
    if marked[0] == marked[1]:
        (view,) = read_pasted(text).text.views
        assert [(e.name, e.offset_in_region) for e in view.ranges] == [
            ("rng", 0x2000), ("uart", 0x3000),
        ]  # fmt: skip
    else:
        number = 5 if marked[0] else 7
        with pytest.raises(PeerError, match=f"line {number}: expected either no line or each"):
            read_pasted(text)


@pytest.mark.parametrize("behind", ["", "(qemu) quit\n"])
def test_blank_lines_between_all_lines_are_nobodys(behind: str) -> None:
    """Then a word between regions may be the end of a name; else it is somebody's word."""
    text = VIEW_HEADING + region(2, 0, 0xFFF, "a-timer-of-the-whole-board")
    text += "Well\n" + region(2, 0x3000, 0x3FFF, "uart") + region(2, 0x4000, 0x4FFF, "rng")
    first, *lines, last = text.splitlines()
    with pytest.raises(PeerError, match=r"line 9: cannot tell whether .* as one word or two"):
        read_pasted("\n\n".join([first, *lines, last]) + "\n" + behind)
    for some in ([first + "\n" + lines[0], *lines[1:], last], [first, *lines, "\n" + last]):
        read = read_pasted("\n\n".join(some).replace("\n\n\n", "\n") + "\n\n" + behind)
        assert [each.name for each in read.text.views[0].ranges] == [
            "a-timer-of-the-whole-board", "uart", "rng",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        (TREE_HEADING + region(2, 0, 0xFF, "system"), True),
        (TREE_HEADING + TREE, True),
        (VIEW_HEADING + VIEW, True),
        (VIEW_HEADING + VIEW + "\nFlatView #1\n", False),
        (VIEW_HEADING + VIEW + "\nSo far.\n", False),
    ],
)
def test_a_literal_without_an_end_may_end_inside_a_region(text: str, is_open: bool) -> None:
    literals = "".join(f"    '{line}\\n'\n" for line in text.splitlines())
    (note,) = read_pasted(literals.removesuffix("\\n'\n")).notes
    assert ("; the text ends without an end of line" in note) is is_open


@pytest.mark.parametrize("heading", ["", TREE_HEADING])
@pytest.mark.parametrize("indent", [0, 2, 6, 9])
def test_a_tree_may_be_indented_by_any_number_of_blanks(heading: str, indent: int) -> None:
    lines = [(0, 0xFFFF, "system"), (0, 0xFFF, "bus"), (0x100, 0x1FF, "uart")]
    tree = "".join(region(indent + 2 * i, *each) for i, each in enumerate(lines))
    (block,) = read_pasted(heading + tree).text.trees
    assert [(line.level, line.name) for line in block.lines] == [
        (1, "system"), (2, "bus"), (3, "uart"),
    ]  # fmt: skip
    ports = region(0, 0, 0xFF, "ports") + region(0, 0x100, 0x1FF, "more")
    read = read_pasted(heading + tree + PROSE + ports)  # a view has no levels
    assert [line.level for line in read.text.trees[0].lines] == [1, 2, 3]
    assert [each.name for each in read.text.views[0].ranges] == ["ports", "more"]
