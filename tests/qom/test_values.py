"""Numbers, sizes and switches as text; what device_add makes of JSON."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.base.units import parse_bytes
from guestmap.qom.values import (
    option_text,
    parse_signed,
    parse_switch,
    parse_unsigned,
)

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.strtoull.restype = ctypes.c_ulonglong
LIBC.strtoll.restype = ctypes.c_longlong


def c_number(function: object, text: str) -> int | None:
    """Return what C's function reads, where it reads the whole text and it fits."""
    raw = text.encode()
    buffer = ctypes.create_string_buffer(raw)
    end = ctypes.c_char_p()
    ctypes.set_errno(0)
    value: int = function(buffer, ctypes.byref(end), 0)  # type: ignore[operator]
    if end.value or ctypes.get_errno() or not raw:
        return None
    return value


NUMBERS = st.text("0123456789abfxX+- \t", max_size=12) | st.builds(
    "{}{}".format, st.sampled_from(["", "-", "+", " ", "0x", "-0x", "0"]), st.integers(0, 1 << 65)
)


@given(NUMBERS)
def test_integers_are_those_of_c(text: str) -> None:
    assert parse_signed(text) == c_number(LIBC.strtoll, text)
    assert parse_unsigned(text) == c_number(LIBC.strtoull, text)


@pytest.mark.parametrize("text", ["", " ", "٣", "1_0", "1 ", "0o7", "0b1", "1.0", "\u00a01"])
def test_what_python_reads_and_c_does_not(text: str) -> None:
    assert parse_signed(text) is None
    assert parse_unsigned(text) is None
    assert parse_bytes(text) is None or text == "1.0"


def test_sizes() -> None:
    assert parse_bytes("128M") == 128 << 20
    assert parse_bytes("0.7k") == 717
    assert parse_bytes("010") == 10
    assert parse_bytes("0x10k") == 16384
    assert parse_bytes("16E") == 1 << 64
    assert parse_bytes("1.5") is None
    assert parse_bytes("-1") is None


@pytest.mark.parametrize("parse", [parse_signed, parse_unsigned, parse_bytes])
def test_numbers_of_any_length(parse: Callable[[str], int | None]) -> None:
    for text in ("9" * 5000, "0x" + "f" * 5000, "-" + "1" * 5000, "1." + "5" * 5000 + "k"):
        assert parse(text) is None or parse(text) >> 64


@pytest.mark.parametrize(
    ("text", "value"), [("on", True), ("y", True), ("no", False), ("false", False), ("ON", None)]
)
def test_switches(text: str, value: bool | None) -> None:
    assert parse_switch(text) is value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "on"),
        (False, "off"),
        (-1, "-1"),
        ((1 << 64) - 1, "18446744073709551615"),
        (1 << 64, "1.8446744073709552e+19"),
        (1.5, "1.5"),
        (10**400, "inf"),
        ("x", "x"),
        (None, None),
        ([1], None),
        ({}, None),
    ],
)
def test_option_text(value: object, text: str | None) -> None:
    assert option_text(value) == text  # type: ignore[arg-type]
