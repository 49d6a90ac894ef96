"""Ctrl-A among what is typed to a guest."""

from __future__ import annotations

import pytest

from guestmap.cli.escape_key import EscapeKey


@pytest.mark.parametrize(("typed", "kept", "ends"), [
    (b"ls\r", b"ls\r", False), (b"a\x01\x01b", b"a\x01b", False), (b"a\x01bc", b"ac", False),
    (b"ab\x01xcd", b"ab", True), (b"\x01X", b"", True), (b"x", b"x", False),
])  # fmt: skip
def test_what_is_the_guests_and_where_it_ends(typed: bytes, kept: bytes, ends: bool) -> None:
    whole, bytewise = EscapeKey(), EscapeKey()
    assert whole.taken(typed) == (kept, ends)
    if not ends:
        assert b"".join(bytewise.taken(bytes((each,)))[0] for each in typed) == kept


def test_an_open_one_waits_for_what_comes_next() -> None:
    escape = EscapeKey()
    assert escape.taken(b"a\x01") == (b"a", False)
    assert escape.taken(b"x") == (b"", True)
