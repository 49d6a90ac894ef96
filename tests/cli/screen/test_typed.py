"""Keys that a terminal sends are keys of the guest's keyboard."""

from __future__ import annotations

import pytest

from guestmap.cli.screen.typed import keys_of
from guestmap.hw.ps2.keys import KEYS


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (b"a", [("a",)]), (b"Z", [("shift", "z")]), (b"7", [("7",)]), (b"!", [("shift", "1")]),
        (b"?", [("shift", "slash")]), (b"~", [("shift", "grave_accent")]), (b"\r", [("ret",)]),
        (b"\x7f", [("backspace",)]), (b"\t", [("tab",)]), (b"\x03", [("ctrl", "c")]),
        (b"\x1b", [("esc",)]), (b"\x1b[A", [("up",)]), (b"\x1bOP", [("f1",)]),
        (b"\x1b[24~", [("f12",)]), (b"\x1b[3~x", [("delete",), ("x",)]),
        (b"\x1b\x1b[B", [("esc",), ("down",)]), (b"ls\r", [("l",), ("s",), ("ret",)]),
        (b"\xc3\xa4\x00", []),
    ],
)  # fmt: skip
def test_what_is_typed(typed, keys):
    assert list(keys_of(typed)) == keys


def test_each_byte_is_a_key_that_there_is_or_none():
    for byte in range(256):
        for names in keys_of(bytes((byte,))):
            assert all(name in KEYS for name in names)
    shown = [keys for byte in range(0x20, 0x7F) for keys in keys_of(bytes((byte,)))]
    assert len(shown) == len(set(shown)) == 0x7F - 0x20
