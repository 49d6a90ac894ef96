"""Long messages in short steps: how much is handled between two pauses, whatever is in them."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestmap.qmp import PAUSE, Limits, Request, Session, encode
from guestmap.qmp.decode import decode
from guestmap.qmp.encode import encode_steps
from guestmap.qmp.lexer import Lexer
from tests.qmp.oracle import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.qmp.lexer import Token

SIZE = 60_000
MOST_TOKENS = 600
MOST_BYTES = 64 << 10
ID = b'{"execute": "query-status", "id": '
LONG = {
    "integers": ID + b"[" + b"123," * (SIZE // 4) + b"1]}",
    "numbers": ID + b"[" + b"1e1," * (SIZE // 4) + b"1]}",
    "lists": ID + b"[" + b"[]," * (SIZE // 3) + b"1]}",
    "objects": ID + b"[" + b'{"a":1},' * (SIZE // 8) + b"1]}",
    "depth": ID + b"[" * 1000 + b"]" * 1000 + b"}",
    "a string": ID + b'"' + b"x" * SIZE + b'"}',
    "escapes": ID + b'"' + b"\\n" * (SIZE // 2) + b'"}',
    "no ASCII": ID + b'"' + "é€😀".encode() * (SIZE // 9) + b'"}',
    "nearly noncharacters": ID + b'"' + "\ufdcf\ufffd".encode() * (SIZE // 6) + b'"}',
    "bad UTF-8": ID + b'"' + b"\xc3" * SIZE + b'"}',
    "a keyword": ID + b"x" * SIZE + b"}",
    "an exponent": ID + b"1e" + b"0" * SIZE + b"}",
    "a stray string": b'"' + b"\xc3x" * (SIZE // 2) + b"\x01",
    "members": b"{" + b",".join(b'"k%d":1' % i for i in range(SIZE // 9)) + b"}",
}


class Meter:
    """What was handled since it was last read: tokens out of lexers, and bytes into them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tokens = self.bytes = 0
        feed = Lexer.feed

        def counted(lexer: Lexer, data: bytes) -> Iterator[Token]:
            self.bytes += len(data)
            for token in feed(lexer, data):
                self.tokens += 1
                yield token

        monkeypatch.setattr(Lexer, "feed", counted)

    def read(self) -> tuple[int, int]:
        done = self.tokens, self.bytes
        self.tokens = self.bytes = 0
        return done


def opened(limits: Limits | None = None) -> Session:
    session = Session(COMMANDS, {}, limits=limits)
    session.receive(b'{"execute": "qmp_capabilities"}')
    return session


@pytest.mark.parametrize("kind", LONG)
def test_little_is_handled_between_two_pauses(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    session, meter = opened(), Meter(monkeypatch)

    for _ in session.steps(LONG[kind]):
        tokens, size = meter.read()
        assert tokens <= MOST_TOKENS
        assert size <= MOST_BYTES


@pytest.mark.parametrize("kind", LONG)
def test_a_long_message_makes_many_pauses(kind: str) -> None:
    pauses = [*opened().steps(LONG[kind])].count(PAUSE)

    # Twice through the lexer, in pieces of 8 KiB of which two may be one step.
    assert pauses >= (2 * 2000 // 256 if kind == "depth" else SIZE // (16 << 10))


@pytest.mark.parametrize("kind", ["escapes", "no ASCII", "nearly noncharacters", "integers"])
def test_the_answer_is_made_in_steps_too(kind: str) -> None:
    value: Any = json.loads(LONG[kind])["id"]
    steps = encode_steps(value)
    pauses = 0
    while True:
        try:
            assert next(steps) is PAUSE
        except StopIteration as end:
            text = end.value
            break
        pauses += 1

    assert pauses > 3
    assert text == encode(value)


def test_short_messages_make_a_pause_after_some() -> None:
    items = [*opened().steps(b'{"execute": "query-status"}' * 200)]

    assert len(items) - items.count(PAUSE) == 200
    assert items.count(PAUSE) == 200 * 5 // 256


@pytest.mark.parametrize("kind", LONG)
def test_steps_end_where_the_whole_does(kind: str) -> None:
    one, other, data = opened(), opened(), LONG[kind]
    pieces = [data[first : first + 1000] for first in range(0, len(data), 1000)]

    def told(items: list[Request | bytes]) -> list[bytes]:
        return [one.reply(item, {}) if isinstance(item, Request) else item for item in items]

    assert told([item for piece in pieces for item in one.receive(piece)]) == told(
        other.receive(data)
    )


TEXT = st.lists(
    st.text(st.characters(exclude_categories=("Cs", "Cn")), max_size=5)
    | st.integers(1000, 1030).map(lambda size: "x" * size)
    | st.integers(1000, 1030).map(lambda size: "é" * size)
    | st.integers(340, 345).map(lambda size: "€" * size),
    max_size=6,
).map("".join)


@settings(derandomize=True)
@given(text=TEXT, ascii_only=st.booleans())
def test_a_long_string_is_the_same_wherever_it_is_cut(text: str, ascii_only: bool) -> None:
    data = json.dumps([text], ensure_ascii=ascii_only).encode()

    assert decode(data) == [text]
    assert encode([text]) == json.dumps([text]).encode()


@pytest.mark.parametrize("before", range(1019, 1026))
@pytest.mark.parametrize("bad", [b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xef\xbf\xbe"])
def test_bad_utf8_is_seen_wherever_a_string_is_cut(before: int, bad: bytes) -> None:
    (line,) = opened().receive(ID + b'"' + b"x" * before + bad + b'y"}')

    assert isinstance(line, bytes)
    assert b"invalid UTF-8 sequence in string" in line


def test_a_message_of_too_many_elements_is_refused_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def build(_message: bytes) -> Any:
        raise AssertionError("it was built")

    module = import_module("guestmap.qmp.decode")
    monkeypatch.setattr(module, "parse_steps", build)
    monkeypatch.setattr(module, "_quick", build)
    session = Session(COMMANDS, {}, limits=Limits(tokens=1000))

    (line,) = session.receive(ID + b"[" + b"1," * 10_000 + b"1]}")

    assert isinstance(line, bytes)
    assert json.loads(line)["error"]["desc"] == "JSON token count limit exceeded"


def test_the_rest_of_a_refused_message_is_passed_over() -> None:
    session = opened(Limits(tokens=100))
    inner = b'[{"a": "]}"}, {}],' * 20

    first, second = session.receive(ID + b"[" + inner + b"1]}" + ID + b"2}")

    assert isinstance(first, bytes)
    assert b"count limit exceeded" in first
    assert isinstance(second, Request)
    assert second.id == b"2"


def test_a_stray_byte_ends_what_is_passed_over() -> None:
    session = opened(Limits(tokens=100))

    refused, stray, request = session.receive(ID + b"[" + b"1," * 200 + b"\xff" + ID + b"2}")

    assert isinstance(refused, bytes)
    assert isinstance(stray, bytes)
    assert b"stray" in stray
    assert isinstance(request, Request)
