"""The quick and the exact decoder agree; each says what is wrong."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestmap.qmp import Decoder, Limits, ParseFailure, decode, encode
from guestmap.qmp.parser import parse

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=("Cs", "Cn"))),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("ab\n'\"é"), inner),
)


@settings(derandomize=True)
@given(value=VALUES)
def test_what_is_encoded_is_decoded(value: object) -> None:
    data = encode({"a": value})  # type: ignore[dict-item]

    assert [*Decoder().feed(data)] == [{"a": value}]
    assert decode(data) == parse(data) == {"a": value}


@pytest.mark.parametrize("quote", [b'"', b"'"])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"1", 1),
        (b"-0", 0),
        (b"18446744073709551615", (1 << 64) - 1),
        (b"18446744073709551616", float(1 << 64)),
        (b"-9223372036854775808", -(1 << 63)),
        (b"-9223372036854775809", -float(1 << 63)),
        (b"9" * 5000, math.inf),
        (b"1e999", math.inf),
        (b"1.5e1", 15.0),
        (b'"\\u00e9\\u0000\\ud83d\\ude00"', "é\0😀"),
        (b'"\xc0\x80"', "\0"),
        (b"'it\\'s'", "it's"),
        (b'"\\/"', "/"),
    ],
)
def test_values(quote: bytes, text: bytes, value: object) -> None:
    message = b"{%sa%s: %s}" % (quote, quote, text)

    assert [*Decoder().feed(message)] == [{"a": value}]
    assert type(decode(b"[%s] " % text)[0]) is type(value)  # type: ignore[index]


@pytest.mark.parametrize(
    "text", [b'{"a": 1, "a": 2}', b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 0e1}', b'{"a": 01}']
)
def test_what_the_standard_library_takes_and_qemu_does_not(text: bytes) -> None:
    first = next(Decoder().feed(text))

    assert isinstance(first, ParseFailure)
    assert first.desc.startswith("JSON parse error, ")


@pytest.mark.parametrize(
    "limits", [Limits(tokens=4), Limits(nesting=1), Limits(message_bytes=10), Limits(1000, 3, 2000)]
)
def test_small_bounds_hold_for_plain_messages_too(limits: Limits) -> None:
    failures = [*Decoder(limits).feed(b'{"some": {"name": [1, 2, 3]}}')]

    assert isinstance(failures[0], ParseFailure)
    assert "limit exceeded" in failures[0].desc


def test_depth_does_not_meet_a_recursion_limit() -> None:
    data = b'{"a":' + b"[" * 1023 + b"]" * 1023 + b"}"

    (value,) = Decoder().feed(data)

    assert encode(value).replace(b" ", b"") == data  # type: ignore[arg-type]


def test_infinity_is_written_as_a_number() -> None:
    assert encode([math.inf, -math.inf, {"a": [1.5, "x", None], "b": {}}, []]) == (
        b'[1e999, -1e999, {"a": [1.5, "x", null], "b": {}}, []]'
    )
    assert json.loads(encode([math.inf])) == [math.inf]


@pytest.mark.parametrize("text", [b"[1,] ", b'{"a": 1,} ', b"[[], ] ", b'{"a": {}, } ', b"[,1] "])
def test_a_comma_with_nothing_behind_it(text: bytes) -> None:
    assert decode(text) == ParseFailure("JSON parse error, expecting value")
