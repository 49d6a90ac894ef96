"""Foreign text shown as data."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from guestmap.base import printable, printable_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("pc.ram", "pc.ram"),
        ("Größe → 記憶 😀", "Größe → 記憶 😀"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x7f\x80\x9b31m", r"\x7f\x80\x9b31m"),
        ("\u202egpj\u2066x\u200f\u061c", r"\u202egpj\u2066x\u200f\u061c"),
        ("a\u2028b\u2029c\x85", r"a\u2028b\u2029c\x85"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("\udc80\ud800", r"\udc80\ud800"),
        ("back\\slash 'quoted' \"twice\"", "back\\slash 'quoted' \"twice\""),
    ],
)
def test_what_is_not_printable_gets_a_stand_in(text, shown):
    assert printable(text) == shown


def test_nothing_that_controls_or_reorders_is_left_of_all_characters():
    shown = printable("".join(map(chr, range(sys.maxunicode + 1))))
    assert not {"Cc", "Cf", "Cs", "Zl", "Zp"} & {unicodedata.category(each) for each in set(shown)}
    assert {"a", "é", "→", "記", "😀"} <= set(shown)


def test_line_feeds_stay_between_lines_and_nothing_else_does():
    assert printable_lines("a\x1b\n\tb\r\n") == "a\\x1b\n\tb\\r\n"
    assert printable("a\nb\x1b", keep="\n") == "a\nb\\x1b"
