"""Laws that a line of QEMU's keeps: what breaks one is refused, not made a map."""

from __future__ import annotations

import html
import json
import quopri

import pytest

from guestmap.base import PeerError
from guestmap.inspect.text.mtree import read_mtree
from guestmap.inspect.text.pasted import read_pasted
from tests.inspect.text.pasted.decorations import broken_between_words_at
from tests.inspect.text.pasted.test_decorated import content

VIEW = (
    'FlatView #0\n AS "memory", root: system\n AS "cpu-memory-0", root: system\n'
    " Root memory region: system\n"
    "  0000000000000000-000000000003ffff (prio 0, ram): dram\n"
    "  0000000000040000-000000000004ffff (prio 0, i/o): crypto owner:{dev path=/machine/soc/aes}\n"
    "  0000000000050000-000000000007ffff (prio 0, ram): dram @0000000000050000\n\n"
)
TREE = (
    "address-space: bus\n"
    "  0000000000000000-ffffffffffffffff (prio 0, i/o): bus master container\n"
    "    0000000000000000-ffffffffffffffff (prio 0, i/o): alias bus master @system"
    " 0000000000000000-ffffffffffffffff [disabled]\n"
    "    0000000000040000-000000000004ffff (prio 0, i/o): crypto\n"
    "      0000000000040010-000000000004001f (prio 0, i/o): keys\n\n"
)


DEEP = TREE.rstrip() + "\n        0000000000040010-0000000000040010 (prio 0, i/o): key\n\n"


def each_line(text: str, change: object) -> str:
    assert callable(change)
    return "\n".join(change(line) for line in text.split("\n"))


def in_column(line: str, width: int) -> str:
    return "\n".join(line[i : i + width] for i in range(0, len(line), width))


def indented(text: str, columns: int, at: int = 1000) -> str:
    """Blanks before each line, of which a terminal has ``at`` columns."""
    return each_line(
        text, lambda line: " " * columns + line and in_column(" " * columns + line, at)
    )


LONE = "memory-region: pc.ram\n  0000000000000000-0000000007ffffff (prio 0, RW): pc.ram\n"
COLOUR, PLAIN = "\x1b[0;32m", "\x1b[0m"
ALIAS = (
    "address-space: memory\n"
    "  0000000000000000-ffffffffffffffff (prio 0, i/o): system\n"
    "    0000000000000000-0000000007ffffff (prio 0, ram): alias ram-below-4g @pc.ram"
    " 0000000000000000-0000000007ffffff\n"
    "    0000000000010000-000000000001ffff (prio 1, ram): alias pam-pci @pc.ram"
    " 0000000000010000-000000000001ffff\n\n"
    "memory-region: pc.ram\n  0000000000000000-0000000007ffffff (prio 0, ram): pc.ram\n\n"
)

SPACED_OUT = VIEW.replace("soc/aes}", "soc/ae\ns}").rstrip()

READ = {
    "a heading that was broken at its hyphen": (TREE, TREE.replace("address-", "address-\n")),
    "a prompt behind a line without end": (VIEW, VIEW.rstrip("\n") + "(qemu) "),
    "colours with blanks behind them": (
        TREE, each_line(TREE, lambda line: f"\x1b[0;32m{line}\x1b[0m   ")
    ),
    "a tab behind a mark": (DEEP, each_line(DEEP, lambda s: "> " + s.replace(" " * 8, "\t", 1))),
    "quoted-printable without a broken line": (
        TREE, quopri.encodestring(TREE.replace("\n", " \n").encode()).decode()
    ),
    "a page that shows a page's source": (
        VIEW, "<pre>\n" + html.escape(html.escape(VIEW.replace("\n", "\n\n"))) + "</pre>\n"
    ),
    "a fence behind the end of a colour": (
        TREE, each_line(TREE.rstrip("\n"), lambda line: f"\x1b[32m{line}\x1b[0m") + "```\n\nOh.\n"
    ),
    "a string's end behind the end of a colour": (
        LONE, f'TEXT = """\\\n{each_line(LONE.rstrip(), lambda s: f"{COLOUR}{s}{PLAIN}")}"""\n'
    ),
    "a colour in a mail whose lines were broken": (
        TREE, quopri.encodestring(
            each_line(TREE.rstrip(), lambda line: f"{COLOUR}{line}{PLAIN}").encode()
        ).decode()
    ),
    "a mail's lines with blank ones between": (
        ALIAS, "".join(
            f"{line}\n\n" for line in quopri.encodestring(ALIAS.encode()).decode().splitlines()
        )
    ),
    "a mail that was quoted before it was decoded": (
        LONE, each_line(f"{LONE.replace('): pc.', '): pc=@>.')}=20", lambda line: f"> {line}")
        .replace("@", "\n")
    ),
    "a fence before a tag": (VIEW, f"<pre>~~~\n{html.escape(VIEW.rstrip())}~~~</pre>\n"),
    "brackets with blanks behind them": (
        VIEW, f"{{noformat}}\n{VIEW.rstrip()}{{noformat}}  \n"
    ),
    "as many blanks behind breaks in the last column, and fewer than before lines": (
        ALIAS, indented(indented(ALIAS, 2, at=80), 2)
    ),
    "a colour's end that is broken in the last column": (
        VIEW, each_line(VIEW, lambda line: in_column(f"\x1b[0;32m{line}\x1b[0m", 66))
    ),
    "a reply before a prompt, its lines numbered": (
        VIEW, f"1:{json.dumps({'return': VIEW})}(qemu) "
    ),
    "a literal that the text ends in": (
        VIEW.rstrip("\n"), "".join(f"    '{line}\\n'\n" for line in VIEW.splitlines()[:-2])
        + f"    '{VIEW.splitlines()[-2]}"
    ),
    "a sentence in a listing with blank lines between all": (
        VIEW, VIEW.rstrip().replace("\n", "\n\n").replace(
            "(prio 0, ram): dram\n\n", "(prio 0, ram): dram\n\nSo far the first part of it\n\n", 1
        )
    ),
    "broken lines, numbered afterwards": (
        TREE, "".join(
            f"{n}:03:{n:02} < me> {line}\n".replace(f":03:{n:02} < me> crypto", ":crypto")
            for n, line in enumerate(TREE.replace(" crypto", "\ncrypto").splitlines(), 1)
        )
    ),
    "a broken listing with blank lines between, and a session": (
        VIEW, "$ nc -U m\n(qemu) info mtree -f\n"
        + SPACED_OUT.replace("\n", "\n\n") + "\n(qemu) quit\n$\n"
    ),
    "a lone prompt at the end": (
        VIEW, f"# virsh qemu-monitor-command vm --hmp info mtree -f\n{VIEW.rstrip()}\n#\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", READ)
def test_what_can_be_proved_is_read(form):
    text, pasted = READ[form]
    assert content(read_pasted(pasted).text) == content(read_mtree(text))


BRACES = (
    "address-space: {nic}\n"
    "  0000000000000000-ffffffffffffffff (prio 0, i/o): {system}\n"
    "    0000000000040000-000000000004ffff (prio 0, i/o): nic{0} owner:{dev id={a}b}\n"
    "    0000000000050000-000000000005ffff (prio 0, ram): {...}\n"
    '    0000000000060000-000000000006ffff (prio 0, ram): alias {"a": 1} @c{d}'
    " 0000000000000000-000000000000ffff\n\n"
    "memory-region: c{d}\n  0000000000000000-000000000000ffff (prio 0, ram): c{d}\n\n"
)


@pytest.mark.parametrize(
    "decorated",
    [
        str,
        lambda text: each_line(text, lambda line: f"> {line}"),
        lambda text: f"Look:\n\n```\n{text}```\n",
        lambda text: json.dumps({"return": text.replace("\n", "\r\n")}),
        lambda text: f"{{'x': 1}}\n\n(qemu) info mtree\n{text}(qemu) ",
    ],
)
def test_names_may_hold_braces(decorated):
    assert content(read_pasted(decorated(BRACES)).text) == content(read_mtree(BRACES))
    lines = read_mtree(BRACES).trees[0].lines
    assert [line.name for line in lines] == ["{system}", "nic{0}", "{...}", '{"a": 1}']
    assert (lines[1].owner, lines[3].target) == ("owner:{dev id={a}b}", "c{d}")


CUT = {
    "between literals": "".join(
        "    ...\n" if "crypto" in line else f"    {json.dumps(line)}\n"
        for line in VIEW.splitlines(keepends=True)
    ),
    "before the first literal": '    "[snip]\\n"\n'
    + "".join(f"    {json.dumps(line)}\n" for line in VIEW.splitlines(keepends=True)[3:]),
    "inside a dispatch tree": (
        f"{VIEW.rstrip()}\n  Dispatch\n    Physical sections\n[snip]\n"
        " Root memory region: io\n  0000000000000000-000000000000ffff (prio 0, i/o): io\n\n"
    ),
}


@pytest.mark.parametrize("place", CUT)
def test_what_is_left_out_is_told_wherever_it_was(place):
    (note,) = read_pasted(CUT[place]).notes
    assert "at 1 place lines were left out" in note


REFUSED = {
    "a name broken in the last column, where other breaks were between words": (
        "memory-region: pci\n  0000000000000000-ffffffffffffffff (prio -1, i/o): pci\n"
        "    00000000000a0000-00000000000bffff (prio 1, i/o):\nvga-lowmem\n"
        "    00000000000c0000-00000000000dffff (prio 1, rom): pc.ro\nm\n"
    ),
    "a name broken without the blanks that are behind other breaks": (
        "memory-region: system\n"
        "  0000000000000000-ffffffffffffffff (prio\n        0, i/o): system\n"
        "    0000000000000000-0000000007ffffff\n"
        "        (prio 0, ram): alias ram-belo\nw-4g @pc.ram\n"
        "        0000000000000000-0000000007ffffff\n"
    ),
    "the rest of a name behind a line of blanks": (
        " Root memory region: system\n"
        "  00000000000c0000-00000000000c3fff (prio 0, rom): pc.ram\n@00000000000c0000 KVM\n"
        "  00000000fe000000-00000000fe003fff (prio 0, ramd): 0000:05:00.0\n \n"
        "BAR 2 mmaps[0] KVM\n  00000000fe004000-00000000fe004fff (prio 1, i/o): notify\n"
    ),
    "tabs that leave out a level": TREE.replace("    ", "\t"),
    "a literal without an end": f" * log: {json.dumps(VIEW[VIEW.index(' Root') :])[:-9]}",
    "an offset of a few digits": VIEW.replace("@0000000000050000", "@50000 KVM"),
    "a backslash before a break": VIEW.replace("dram @", "dram \\\n@"),
    "a cut inside a line of quoted-printable": (
        TREE.replace("crypto", "crypto=20=\n[...]\nengine").replace("(prio 0, i/o): keys", "=20=")
    ),
    "a page in a page that hides the users of a view": each_line(
        VIEW, lambda line: f"{line}\n".replace('"', "?quot;")
    ),
    "a number above that is not the listing's": "1. Run this\n\n" + "".join(
        f"    {n}. {line}\n" for n, line in enumerate(TREE.splitlines(), 1)
    ),
    "a heading that is broken in its first word": TREE.replace("address", "addre\nss"),
    "a heading that is broken in an entity": VIEW.replace(
        " Root memory region: system\n  ", " Root memory region: system "
    ),
    "the rest of a heading that looks like a command": VIEW.replace(
        "cpu-memory-0\", root: system", "cpu-memory-0\", root: dram\n#   dram"
    ),
    "headings behind something else, ranges alone": (
        each_line(VIEW, lambda line: line if line[:3] == "  0" else f"12:00 vm: {line}")
    ),
    "a colon before names, from a mark": VIEW.replace("ram): dram", "ram):\n:dram"),
    "an alias of which the rest is gone": TREE[: TREE.index(" bus master @")] + "\n"
    "    0000000000040000-000000000004ffff (prio 0, i/o): crypto\n",
    "a literal that is no part of the listing, but of a line": (
        '"address-space: bus\\n"\n"  0000000000000000-ffffffffffffffff"\n'
        '"(prio 0, i/o): bus\\n    0000000000000000-0000000000000fff (prio 0, i/o): x\\n"\n'
    ),
    "a mark in an owner": VIEW.replace("{dev path", "{dev ! path"),
    "an escape of quoted-printable in an owner": VIEW.replace("path=", "path=3D"),
    "an escape of quoted-printable in a name": VIEW.replace("ram): dram", "ram): dram=20"),
    "a bracket behind a mark of QEMU's": TREE.replace("[disabled]", "[disabled]{x}"),
    "two lines in one": TREE.replace("crypto\n    ", "crypto"),
    "an offset inside a name": VIEW.replace("dram @", "dram x @").rstrip() + ".\n",
    "an offset that looks like a command": VIEW.replace("dram @", "dram\n# @"),
    "an owner that looks like a command": VIEW.replace("crypto owner", "crypto\n# owner"),
    "a heading that looks like a command": each_line(
        VIEW, lambda line: line.replace(' AS "cpu-memory-0",', '# AS "cpu-memory-0",\n')
    ),
    "a remark with an owner in it": VIEW.replace("owner:", "  # owner:"),
    "half of what stands before all others": "".join(
        f"12:00:{n:02} host qemu[7]: {'>' * ('dram' not in line)}{line}\n"
        for n, line in enumerate(VIEW.replace("ram): dram", "ram):\ndram").splitlines())
    ),
    "a number where others have it and more": "".join(
        f"{2 * n:6} 12:00 host: {line}\n".replace(" 12:00 host: dram", " dram")
        for n, line in enumerate(VIEW.replace("ram): dram", "ram):\ndram").splitlines(), 1)
    ),
    "a name broken in a text with blank lines between all": (
        "address-space: nic\n\n  0000000000000000-ffffffffffffffff (prio 0, i/o): bus master con"
        "\n\ntainer\n\nWhy is that so?\n--\nme\n"
    ),
    "an owner in a text with blank lines between all": (
        "memory-region: pc.ram\n\n  0000000000000000-0000000007ffffff (prio 0, ram): pc.ra"
        "\n\nm owner:{obj path=/objects/pc.ram}\n\n[/code]\n"
    ),
    "a line between quoted ones that is quoted less": (
        "> address-space: nic\n>   0000000000000000-ffffffffffffffff (prio 0, i/o): bus master\n"
        "\n> container\n> {noformat}\n>\n"
    ),
    "a line that was broken between a colour and its addresses": (
        f"{COLOUR}address-space: bus{PLAIN}\n{COLOUR}  0000000000000000-ffffffffffffffff\n"
        f"        (prio 0, RW): system{PLAIN}\n{COLOUR}   \n"
        f"        0000000000000000-0000000007ffffff\n        (prio 0, RW): ram{PLAIN}\n\n"
    ),
    "a name broken in one column, its blanks gone": (
        "address-space: bus\n  0000000000000000-ffffffffffffffff\n"
        "(prio 0, container): bus master cont\nainer\n\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", REFUSED)
def test_what_breaks_a_law_is_refused(form):
    with pytest.raises(PeerError, match=r"line \d+:"):
        read_pasted(REFUSED[form])


def test_an_at_sign_in_the_name_of_a_target_begins_no_target():
    text = (
        "address-space: bus\n  0000000000000000-ffffffffffffffff (prio 0, i/o): bus\n"
        "    0000000000000000-000000000000ffff (prio 0, i/o): alias a @pci@8000.io"
        " 0000000000000000-000000000000ffff\n"
    )
    with pytest.raises(PeerError, match="as one word or two"):
        read_pasted(text.replace("@pci@", "@pci\n@"))


def test_a_word_that_stands_whole_elsewhere_is_not_parted():
    broken = (
        " Root memory region: system\n"
        "  0000000000000000-000000000003ffff (prio 0, ram): dram\n@0000000000010000\n"
        "  0000000000040000-000000000004ffff (prio 0, i/o): apic-ms\ni\n"
        "  Dispatch\n    Physical sections\n"
        "      #0 @0000000000040000..000000000004ffff apic-msi\n"
        "      #1 @0000000000000000..000000000003ffff dram\n\n"
    )
    with pytest.raises(PeerError, match="as one word or two"):
        read_pasted(broken)


def test_a_number_in_brackets_ends_a_name_or_heads_a_node():
    text = (
        " Root memory region: system\n"
        "  0000000000000000-000000000003ffff (prio 0, ram): ram @0000000000100000\n"
        "  0000000000040000-000000000004ffff (prio 0, i/o): timer[1]\n"
        "  0000000000050000-000000000005ffff (prio 0, i/o): clock[2]\n"
    )
    width = text.index("[1]") - text.rindex("\n", 0, text.index("[1]")) - 1
    broken = each_line(text, lambda line: f"{line[:width]}\n{line[width:]}".rstrip())
    dispatch = (
        "  Dispatch\n    Nodes (9 bits per level, 6 levels) ptr=[1] skip=3\n"
        "      [0]\n        0..511   skip=0  ptr=NIL\n\n"
    )
    (view,) = read_pasted(broken + dispatch).text.views
    assert [each.name for each in view.ranges] == ["ram", "timer[1]", "clock[2]"]


@pytest.mark.parametrize("width", range(34, 60))
def test_a_word_too_long_for_a_width_does_not_make_it_wider(width):
    broken = broken_between_words_at(VIEW, width, indent=4)
    assert content(read_pasted(broken).text) == content(read_mtree(VIEW))
