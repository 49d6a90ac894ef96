"""Texts in the forms in which people publish them."""

from __future__ import annotations

import json
import quopri
import textwrap

import pytest

from guestmap.base import PeerError
from guestmap.inspect.text.from_text import snapshot_of_pasted
from guestmap.inspect.text.pasted import read_pasted

VIEW = (
    'FlatView #0\n AS "memory", root: system\n Root memory region: system\n'
    "  0000000000000000-000000000003ffff (prio 0, ram): dram\n"
    "  0000000000040000-000000000004ffff (prio 0, i/o): crypto\n"
    "  0000000000050000-000000000007ffff (prio 0, ram): dram @0000000000050000\n"
)
TREE = (
    "address-space: memory\n"
    "  0000000000000000-ffffffffffffffff (prio 0, i/o): system\n"
    "    0000000000000000-000000000003ffff (prio 0, ram): dram\n"
    "    0000000000040000-000000000004ffff (prio 0, i/o): crypto\n"
    "      0000000000040010-000000000004001f (prio 0, i/o): keys\n"
)
RANGES = [("dram", 0, 0), ("crypto", 0x40000, 0), ("dram", 0x50000, 0x50000)]


def ranges(text: str) -> list[tuple[str, int, int]]:
    (view,) = read_pasted(text).text.views
    return [(each.name, each.start, each.offset_in_region) for each in view.ranges]


def names(text: str) -> list[str]:
    return [line.name for block in read_pasted(text).text.trees for line in block.lines]


def quote(text: str, mark: str = "> ") -> str:
    return "".join(f"{mark}{line}\n" for line in text.splitlines())


WHOLE_VIEWS = {
    "as it is": VIEW,
    "without AS": VIEW.replace(' AS "memory", root: system\n', ""),
    "root first": VIEW.split("\n", 2)[2],
    "AS first": VIEW.split("\n", 1)[1],
    "ranges alone": "".join(VIEW.splitlines(keepends=True)[3:]),
    "ranges alone, quoted": quote("".join(VIEW.splitlines(keepends=True)[3:])),
    "no indentation left": "\n".join(line.strip() for line in VIEW.splitlines()),
    "prose in the middle": quote(VIEW[:260]) + "\nThat is the key store.\n\n" + quote(VIEW[260:]),
    "prose right below": quote(VIEW) + "I do not see why this should be so.\n",
    "wrapped before a mark": VIEW.replace("dram @", "dram\n@"),
    "wrapped, its rest not quoted": quote(VIEW).replace("dram @", "dram\n@"),
    "remarks": VIEW.replace("crypto\n", "crypto   <--- here\n"),
    "dispatch": VIEW + "  Dispatch\n    Physical sections\n"
    "      #0 @0000000000000000..0000000000000fff (noname) [unassigned]\n      #1 @0000000000\n",
    "dispatch whose heading is cut": VIEW + "      #0 @0000000000000000..ffffffffffffffff x\n\n",
    "another command": VIEW + "(qemu) info registers\nEAX=00000000 EBX=0000\n(qemu) \n",
    "another command's addresses": "(qemu) info mem\n0000000000000000-0000000000100000 -rw\n"
    "(qemu) info mtree -f\n" + VIEW,
    "a forum's brackets": f"[quote=x, post:1]\n[code]{VIEW.rstrip()}[/code]\n[/quote]\n",
    "fences glued on": f"```{VIEW.rstrip()}```\n",
    "fences of two places glued on": f"```\n~~~\n{VIEW.rstrip()}~~~```\n",
    "another monitor's prompt": f"qm> info mtree -f\n{VIEW}qm> quit\n",
    "typed quotes": VIEW.replace('"', "\u201d"),
    "a table's frame": "".join(f"| {line:90} |\n" for line in VIEW.splitlines()),
    "a pane beside it": "".join(f"{line:90}│ {'':20}\n" for line in VIEW.splitlines()),
    "a list of strings": "[" + ",\n ".join(map(repr, VIEW.splitlines())) + "]\n",
    "a list in JSON": json.dumps(VIEW.splitlines(), indent=2),
    "printed by a program": "".join(
        f"  printf({json.dumps(line)});\n" for line in VIEW.splitlines(keepends=True)
    ),
    "prompt on the line": "(qemu) " + VIEW,
    "qmp": json.dumps({"return": VIEW, "id": "x"}, indent=2),
    "qmp with more around": '{"execute": "human-monitor-command"}\n' + json.dumps({"return": VIEW}),
}  # fmt: skip


@pytest.mark.parametrize("form", WHOLE_VIEWS)
def test_a_whole_view(form):
    assert ranges(WHOLE_VIEWS[form]) == RANGES


CUTS = [
    "...", "…", "[...]", "[snip]", "<snip>", "--- cut ---", "[ ... ]", "   ...", "...snip...",
    "--8<--", "-- 8< -- cut here -- 8< --", "---->8----", "✂", ":", "..", "⋮", "[cut 20 lines]",
    "12 lines removed", "<deleted>", "--", "---", "etc.", "  etc...", "and so on...",
]  # fmt: skip


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("mark", ["", "> ", ">> "])
def test_a_place_that_was_cut_is_told(cut, mark):
    lines = VIEW.splitlines(keepends=True)
    pasted = "".join([*lines[:5], cut + "\n", *lines[5:]])
    read = read_pasted(quote(pasted, mark) if mark else pasted)
    assert [each.name for each in read.text.views[0].ranges] == ["dram", "crypto", "dram"]
    assert "at 1 place lines were left out" in read.notes[0]


@pytest.mark.parametrize("rule", ["--", "-- ", "---"])
def test_a_rule_behind_or_above_a_listing_is_no_cut(rule):
    for text in (f"{VIEW}\n{rule}\nJohn Doe\n", f"{rule}\n{VIEW}"):
        assert not any("left out" in note for note in read_pasted(text).notes)


ENDS = [1, 5, 10, 16, 17, 20, 30, 34, 38, 44, 50, 52, 59, 60, 70]


@pytest.mark.parametrize("length", ENDS)
def test_a_text_that_ends_inside_a_line_says_so_or_is_refused(length):
    head, last = VIEW[: VIEW.rindex("  0000")], VIEW[VIEW.rindex("  0000") :]
    try:
        read = read_pasted(head + last[:length])
    except PeerError:
        return
    found = [(e.name, e.start, e.offset_in_region) for e in read.text.views[0].ranges]
    assert found == RANGES[:2] or (found[:2] == RANGES[:2] and found[2][0] == "dram")


def test_what_is_left_of_an_offset_is_never_a_name():
    with_half = VIEW.rstrip("\n")[:-4]
    assert ranges(with_half) == RANGES[:2]
    assert "ends inside a line" in read_pasted(with_half).notes[0]


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        (VIEW[: VIEW.rindex(" @")], True),
        (VIEW[: VIEW.rindex("am @")], False),  # left out, and told so
        (TREE[:-1], True),
        (quote(TREE)[:-1], True),
        (VIEW, False),
        (VIEW + "(qemu) ", False),
        ("<pre>\n" + TREE + "</pre>", False),
        ("<pre>\n" + TREE[:-1] + "</pre>", True),
        ("[code]" + TREE[:-1] + "[/code]\n", True),
        ("```\n" + TREE[:-1] + "```\n\nWhy?\n", True),
        ("~~~\n" + TREE[:-1] + "~~~\n\nWhy?\n", True),
        ("\n".join(f"| {line} |" for line in TREE[:-1].split("\n")), False),
        (json.dumps({"return": TREE.replace("\n", "\r\n")}), False),
        (json.dumps({"return": TREE.replace("\n", "\r\n")[:-2]}), True),
    ],
)
def test_a_last_line_without_its_end_may_be_cut(text, is_open):
    notes = "".join(read_pasted(text).notes)
    assert ("ends without an end of line: its last line may be cut" in notes) is is_open


SOC = "address-space: memory\n  0000000000000000-ffffffffffffffff (prio 0, i/o): soc\n" + "".join(
    f"    {0x1000 * n:016x}-{0x1000 * n + 0xFFF:016x} (prio 0, i/o): {name}\n"
    for n, name in enumerate(
        ("uart-console", "timer-of-seconds", "gpio-of-the-panel", "watchdog", "dma-engine-3", "rng")
    )
)
"""Names of many lengths, as a board's are."""


def cut_at(text: str, column: int) -> str:
    return "".join(f"{line[:column].rstrip()}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    "decorated",
    [
        lambda cut: f"<pre>\n{cut}</pre>\n",
        lambda cut: f"[code]{cut}[/code]\n",
        lambda cut: json.dumps({"return": cut}),
        lambda cut: f"TEXT = {cut!r}\n",
    ],
)
def test_half_a_name_at_the_end_is_left_out_whatever_is_behind_it(decorated):
    end = "    0000000000040000-0000000000040fff (prio 0, i/o): "
    (note,) = read_pasted(decorated(f"{TREE.rstrip()}\n{end}cryp")).notes
    assert "ends inside a line, which is left out" in note
    assert names(decorated(f"{TREE.rstrip()}\n{end}cryp")) == names(TREE)


NAMES_FROM = SOC.index("uart") - SOC.rindex("\n", 0, SOC.index("uart")) - 1


@pytest.mark.parametrize("decorated", [str, quote, lambda text: f"Look:\n\n```\n{text}```\n"])
def test_a_listing_cut_at_one_column_is_refused(decorated):
    assert names(decorated(SOC))[1] == "uart-console"
    with pytest.raises(PeerError, match=r"line \d+: names end in column .* seems cut there"):
        read_pasted(decorated(cut_at(SOC, NAMES_FROM + 7)))


def test_lines_of_one_width_are_not_cut_where_a_pattern_or_their_offsets_make_them_so():
    numbered = SOC
    for n, name in enumerate(
        ("uart-console", "timer-of-seconds", "gpio-of-the-panel", "watchdog", "dma-engine-3", "rng")
    ):
        numbered = numbered.replace(name, f"timer-{n}")
    assert len(names(numbered)) == 7
    view = VIEW[: VIEW.index("  0000")] + "".join(
        f"  {0x1000 * n:016x}-{0x1000 * n + 0xFFF:016x} (prio 0, ram): {name} @{n << 12:016x}\n"
        for n, name in enumerate(("sram", "dram", "boot", "mask", "user"), 10)
    )
    assert len(ranges(view)) == 5


def test_a_name_cut_in_the_last_column_is_known_by_its_whole_elsewhere():
    text = (
        "address-space: memory\n  0000000000000000-ffffffffffffffff (prio 0, i/o): soc\n"
        "    0000000000000000-0000000000000fff (prio 0, i/o): uart\n"
        "      0000000000000000-00000000000000ff (prio 0, i/o): watchdog\n\n"
        "memory-region: watchdog\n"
        "  0000000000000000-00000000000000ff (prio 0, i/o): watchdog\n"
    )
    assert len(names(text)) == 4
    with pytest.raises(PeerError, match=r"line 4: names end in column .* seems cut there"):
        read_pasted(cut_at(text, text.splitlines()[3].index("watchdog") + 5))


@pytest.mark.parametrize("end", ["uart.", "pl011-", "timer[", "dev_", "clock/"])
def test_no_name_in_the_last_column_ends_in_a_stop_a_hyphen_or_half_a_bracket(end):
    rest = "1]" if "[" in end else "1"
    few = SOC[: SOC.index("\n", SOC.index("uart")) + 1].replace("uart-console", end + rest)
    assert names(few)[1] == end + rest
    with pytest.raises(PeerError, match=r"line \d+: names end in column .* seems cut there"):
        read_pasted(cut_at(few, NAMES_FROM + len(end)))


@pytest.mark.parametrize(
    ("column", "count", "is_told"), [(80, 1, True), (82, 1, False), (82, 11, True)]
)
def test_names_that_may_be_cut_are_told(column, count, is_told):
    """Of a usual window's width, or in so long a listing that nobody sees each end."""
    line = "    0000000000000000-0000000000000fff (prio 0, i/o): "
    name = "a-region-whose-name-is-long"[: column - len(line)]
    text = SOC[: SOC.index("    ")] + f"{line}{name:n<{column - len(line)}}\n"
    notes = read_pasted(text + count * f"{line}rng\n").notes
    assert [f"end in a name, in column {column}:" in note for note in notes] == [True] * is_told


def test_a_name_that_stands_whole_elsewhere_is_not_cut_in_the_widest_line():
    name = "(prio 0, i/o): rng-of-the-board-itself\n"
    line = f"    {2**32:016x}-{2**32:016x} {name}"
    assert read_pasted(SOC + line + 9 * f"  {line}").notes == ()


@pytest.mark.parametrize(("first", "form"), [(90, "d"), (10, "d"), (0x9A, "x")])
def test_numbered_names_are_not_cut_in_the_widest_lines(first, form):
    """The widest is dev100 behind dev99, or all are of one width."""
    lines = [f"    {2**32:016x}-{2**32:016x} (prio 0, i/o): a-device-dev{n:{form}}\n"
             for n in range(first, first + 12)]  # fmt: skip
    head = SOC[: SOC.index("    ")]
    assert read_pasted(head + "".join(lines)).notes == ()
    (note,) = read_pasted(head + "".join(lines[:11]) + lines[11].replace("dev", "timer")).notes
    assert "the widest lines end in a name" in note


def test_picked_lines_without_a_heading_may_be_of_one_width():
    cut = cut_at(SOC, NAMES_FROM + 7)
    assert len(names("address-space: memory\n" + "\n".join(SOC.splitlines()[1:4]) + "\n")) == 3
    picked = "\n".join(line[2:] for line in cut.splitlines()[2:]) + "\n"
    assert len(ranges(picked)) == 6


def test_the_note_counts_what_was_removed():
    (note,) = read_pasted(quote("(qemu) info mtree -f\n" + VIEW)).notes
    assert note == "removed quoting from 7 lines, 1 line that is no part of it"


TABBED = textwrap.indent(TREE, "  ").replace("        ", "\t")
TREES = {
    "partial indentation": "\n".join(
        "    " + line if line.startswith(" ") else line for line in TREE.splitlines()
    ),
    "space-stuffed": "\n".join(
        " " + line if line.startswith(" ") else line for line in TREE.splitlines()
    ),
    "headless": TREE.split("\n", 1)[1],
    "QEMU 1.x": TREE.replace("address-space: ", "").replace("i/o)", "RW)").replace("ram)", "RW)")
    .replace("\n  ", "\n"),
    "tabs": TABBED,
    "tabs, then indented": textwrap.indent(TABBED, "  "),
    "tabs, then indented by more": "output: |\n" + textwrap.indent(TABBED, " " * 6),
}  # fmt: skip


@pytest.mark.parametrize("form", TREES)
def test_a_whole_tree(form):
    (block,) = read_pasted(TREES[form]).text.trees
    assert [(line.name, line.level) for line in block.lines] == [
        ("system", 1), ("dram", 2), ("crypto", 2), ("keys", 3),
    ]  # fmt: skip


ALIASES = (
    "address-space: nic\n"
    "  0000000000000000-ffffffffffffffff (prio 0, i/o): bus master container\n"
    "    0000000000000000-ffffffffffffffff (prio 0, i/o): alias bus master @system"
    " 0000000000000000-ffffffffffffffff [disabled]\n\n"
    "memory-region: system\n"
    "  0000000000000000-ffffffffffffffff (prio 0, i/o): system\n"
    "    0000000000000000-000000000003ffff (prio 0, ram): dram of the whole board\n"
)


@pytest.mark.parametrize("width", [66, 70, 76, 80])
def test_quoted_lines_that_a_mail_program_broke_and_did_not_quote_again(width):
    broken = [textwrap.fill(f"> {s}", width, break_on_hyphens=False) for s in ALIASES.split("\n")]
    assert names("\n".join(broken) + "\n") == names(ALIASES)


def test_a_quoted_printable_mail():
    encoded = quopri.encodestring(ALIASES.encode()).decode()
    assert "=\n" in encoded
    assert names(encoded) == names(ALIASES)


@pytest.mark.parametrize("first", [1, 7, 97])
def test_numbers_and_a_tab_before_lines_do_not_move_them(first):
    numbered = "".join(f"{n}\t{s}\n" for n, s in enumerate(ALIASES.splitlines(), first))
    assert read_pasted(numbered).text == read_pasted(ALIASES).text


def test_headings_of_qemu_1():
    text = (
        "memory\n"
        "0000000000000000-7ffffffffffffffe (prio 0, RW): system\n"
        "  0000000000000000-0000000007ffffff (prio 0, RW): alias ram-below-4g @pc.ram"
        " 0000000000000000-0000000007ffffff\n"
        "I/O\n"
        "0000000000000000-000000000000ffff (prio 0, RW): io\n"
        "aliases\n"
        "pc.ram\n"
        "0000000000000000-0000000007ffffff (prio 0, RW): pc.ram\n"
    )
    snapshot = snapshot_of_pasted(text, source="old.txt")
    assert [space.name for space in snapshot.address_spaces] == ["memory", "I/O"]
    target = next(each.alias for each in snapshot.regions if each.name == "ram-below-4g")
    assert snapshot.regions[target].name == "pc.ram"


def test_a_session_of_two_listings_is_one_machine():
    commands = "$ qemu -monitor stdio\n(qemu) info mtree\n", "(qemu) info mtree -f\n"
    read = read_pasted(f"{commands[0]}{TREE}{commands[1]}{VIEW}(qemu) quit\n")
    assert len(read.text.trees) == len(read.text.views) == 1


def test_what_stands_behind_a_blank_line_is_no_part_of_the_tree_above():
    prose = read_pasted(TREE + "\nthat is all\n")
    assert prose.notes == ("removed 1 line that is no part of it",)
    with pytest.raises(PeerError, match="expected a heading above this block"):
        read_pasted(TREE + "\n" + "\n".join(VIEW.splitlines()[3:]))


def test_a_view_in_two_parts_of_a_wrapped_name():
    text = (
        'FlatView #1\n AS "memory", root: system\n Root memory region: system\n'
        "  0000000000000000-00000000000bffff (prio 0, ram): pc.ram KVM\n"
        "  00000000000c0000-00000000000c3fff (prio 0, ram): pc.ram\n@00000000000c0000 KVM\n"
        "  00000000fe000000-00000000fe003fff (prio 0, ramd): 0000:05:00.0 BAR 2\nmmaps[0] KVM\n"
    )
    assert ranges(text)[1:] == [
        ("pc.ram", 0xC0000, 0xC0000), ("0000:05:00.0 BAR 2 mmaps[0]", 0xFE000000, 0),
    ]  # fmt: skip


REFUSED = {
    "two listings of one kind": (VIEW + "\n(qemu) info mtree -f\n" + VIEW, 9),
    "a line that is none": (quote(VIEW) + "> 0000000000060000-000 (prio 0, oops): x\n> \n> y", 7),
    "an address range in prose": (VIEW + "\n0000000000000000-00000000000fffff is RAM\n", 8),
    "a name in two parts, one word or two": (
        VIEW.replace("crypto\n", "crypto-engine-of-a-long-na\nme\n"), 6,
    ),
    "all in one line": (VIEW.replace("\n", " "), 1),
    "a step of indentation": (quote(TREE.replace("      ", "     ")), 5),
    "a heading behind something else": ("Output: " + TREE, 1),
    "a tree without a heading below one that has it": (
        TREE + "\n" + TREE.split("\n", 1)[1].replace("system", "other"), 7,
    ),
    "a view of which only the end is left": ("x\n  No rendered FlatView\n", 2),
    "an owner in a name": (TREE.replace("keys", "keys owner:{dev id=a} parent:{obj id=b} x"), 5),
    "a mark of a comment in a name": (TREE.replace("keys", "* keys"), 5),
    "half of a frame": (TREE.replace("keys", "keys |"), 5),
    "a blank line in a wrapped name": (TREE.replace("crypto", "crypto 2\n\nregisters")
                                       .replace("dram", "dram\n[disabled]"), 7),
    "two trees in one": (quote(TREE.replace("    0000000000000000-0", "  0000000000000000-0")), 3),
    "other quoting in a tree": (quote(TREE).replace(">       0", ">>       0"), 5),
    "a region below a cut": (TREE.replace("      0000000000040010-000000000004001f",
                             "...\n      0000000000090000-000000000009ffff"), 6),
}  # fmt: skip


@pytest.mark.parametrize("form", REFUSED)
def test_what_cannot_be_understood_is_refused_by_its_line(form):
    text, number = REFUSED[form]
    with pytest.raises(PeerError, match=f"line {number}:"):
        snapshot_of_pasted(text, source="x")


@pytest.mark.parametrize("prefix", ["vm1: ", "qemu-1  | ", "[vm1] ", "host 7 > "])
def test_a_number_in_what_stands_before_every_line_does_not_count_lines(prefix: str) -> None:
    session = f"(qemu) info mtree -f\n{VIEW}(qemu) info mtree\n{TREE}(qemu) quit\n"
    text = "".join(f"{prefix}{line}\n".replace(" \n", "\n") for line in session.splitlines())
    assert ranges(text) == RANGES
    assert names(text) == ["system", "dram", "crypto", "keys"]


def test_a_region_may_reach_beyond_the_one_that_holds_it() -> None:
    whole = TREE + "      0000000000048000-0000000000057fff (prio 0, i/o): far\n"
    assert names(whole)[-1] == "far"
    assert names(quote(whole)) == names(whole)
