"""Where a message ends, whatever the pieces, and how much is kept until then."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestmap.qmp import Framer, Limits, ParseFailure
from tests.qmp import ugly


def in_pieces(data: bytes, size: int, limits: Limits | None = None) -> list[bytes | ParseFailure]:
    framer = Framer(limits)
    pieces = [data[first : first + size] for first in range(0, len(data), size)]
    return [message for piece in pieces for message in framer.feed(piece)]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64])
def test_pieces_make_no_difference(size: int) -> None:
    data = b"\n".join([*ugly.ALL, *ugly.REQUESTS])

    assert in_pieces(data, size) == in_pieces(data, len(data))


@settings(derandomize=True)
@given(data=st.binary(max_size=300), size=st.integers(1, 20), small=st.booleans())
def test_any_bytes_in_any_pieces(data: bytes, size: int, small: bool) -> None:
    limits = Limits(message_bytes=20, tokens=8, nesting=3) if small else None

    assert in_pieces(data, size, limits) == in_pieces(data, max(1, len(data)), limits)


def test_a_message_is_its_tokens() -> None:
    framer = Framer()

    assert [*framer.feed(b'\t{"a b" :[1,')] == []
    assert not framer.idle
    assert [*framer.feed(b'2 ]}\r\n{"c":')] == [b'{ "a b" : [ 1 , 2 ] } ']
    assert [*framer.feed(b"'}'}")] == [b"{ \"c\" : '}' } "]
    assert framer.idle


def test_a_number_ends_with_what_follows_it() -> None:
    framer = Framer()

    assert [*framer.feed(b"12")] == []
    assert not framer.idle
    assert [*framer.feed(b"3")] == []
    assert [*framer.feed(b" ")] == [b"123 "]


def test_after_a_stray_byte_the_next_bracket_begins_anew() -> None:
    failures = in_pieces(b'{"a": !b c" ! {"d": 1}', 4)

    assert failures == [ParseFailure("JSON parse error, stray '!'"), b'{ "d" : 1 } ']


@pytest.mark.parametrize(
    ("data", "limits", "desc"),
    [
        (b'"' + b"x" * 100, Limits(message_bytes=64), "JSON token size limit exceeded"),
        (b'["' + b'x","' * 100, Limits(message_bytes=64), "JSON token size limit exceeded"),
        (b"[" + b"1," * 100, Limits(tokens=64), "JSON token count limit exceeded"),
        (b"[" * 65, Limits(nesting=64), "JSON nesting depth limit exceeded"),
        (b'{"a":[' * 33, Limits(nesting=64), "JSON nesting depth limit exceeded"),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_bounds(data: bytes, limits: Limits, desc: str, size: int) -> None:
    assert ParseFailure(desc) in in_pieces(data, size, limits)
    assert in_pieces(data, size) == []


def test_what_is_within_the_bounds_is_a_message() -> None:
    limits = Limits(message_bytes=8, tokens=5, nesting=2)

    assert in_pieces(b"[[1,2]", 6, limits) == [ParseFailure("JSON token count limit exceeded")]
    assert in_pieces(b"[[1]]", 5, limits) == [b"[ [ 1 ] ] "]
    assert in_pieces(b"[12345]", 7, limits) == [b"[ 12345 ] "]
    assert in_pieces(b"[123456]", 8, limits)[0] == ParseFailure("JSON token size limit exceeded")


def test_memory_stays_near_the_bound() -> None:
    framer = Framer(Limits(message_bytes=1 << 16))
    piece = b'"' + b"x" * 4095
    tracemalloc.start()
    try:
        for _ in range(500):
            for _ in framer.feed(piece):
                pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1 << 19
