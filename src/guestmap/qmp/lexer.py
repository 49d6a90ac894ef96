"""Tokens of QMP's JSON, from bytes that come in pieces.

QMP is a stream: nothing but the JSON itself says where a message ends, and a client may recover a
connection by sending a byte that no JSON text holds (QEMU, docs/interop/qmp-spec: "0xFF"). So the
lexer keeps its place between two pieces, reports what is no token as a token of its own, and then
skips to where a new message may begin: a bracket, a comma, a colon, a control character other than
tab, or 0xFE and 0xFF.

It is a table of states, each with one row of 256 entries. Where a state leads to itself (inside a
string, between tokens, while recovering) one regular expression takes the whole run, so the time is
linear in the bytes and small for long strings. A plain token that lies whole in one piece needs no
table: one expression knows it.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from guestmap.qmp.steps import PAUSE, STEP_BYTES, Pause

if TYPE_CHECKING:
    from collections.abc import Iterator


class TokenKind(IntEnum):
    """What a token is. ``STRAY``: no token; ``TOO_LONG``: cut at the limit."""

    LBRACE, RBRACE, LBRACKET, RBRACKET, COLON, COMMA = range(6)
    INTEGER, FLOAT, KEYWORD, STRING, STRAY, TOO_LONG = range(6, 12)


class Token(NamedTuple):
    """One token: its kind and its bytes, quotes included."""

    kind: TokenKind
    text: bytes


_START, _RECOVERY, _DOUBLE, _DOUBLE_ESCAPE, _SINGLE, _SINGLE_ESCAPE = range(16, 22)
_SIGN, _ZERO, _DIGITS, _POINT, _FRACTION, _EXPONENT, _EXPONENT_SIGN = range(22, 29)
_EXPONENT_DIGITS, _WORD = range(29, 31)
_AGAIN: Final = 0x80
"""Flag of an entry: the byte is not part of the token and is looked at again."""

_BRACKETS = {
    b"{": TokenKind.LBRACE,
    b"}": TokenKind.RBRACE,
    b"[": TokenKind.LBRACKET,
    b"]": TokenKind.RBRACKET,
    b":": TokenKind.COLON,
    b",": TokenKind.COMMA,
}
_DIGIT = b"0123456789"
_LETTERS = b"abcdefghijklmnopqrstuvwxyz"
_CHARACTERS = bytes(range(0x20, 0xFE))


def _row(entries: dict[bytes, int], default: int = TokenKind.STRAY) -> list[int]:
    row = [default] * 256
    for byte_set, state in entries.items():
        for byte in byte_set:
            row[byte] = state
    return row


_INTEGER_ENDS = TokenKind.INTEGER | _AGAIN
_FLOAT_ENDS = TokenKind.FLOAT | _AGAIN
_RESTART = bytes(range(0x20)).replace(b"\t", b"") + b"\xfe\xff" + b"".join(_BRACKETS)

_TABLE: Final = {
    _START: _row(
        {
            b" \t\r\n": _START,
            b'"': _DOUBLE,
            b"'": _SINGLE,
            b"-": _SIGN,
            b"0": _ZERO,
            b"123456789": _DIGITS,
            _LETTERS: _WORD,
            **_BRACKETS,
        }
    ),
    _RECOVERY: _row({_RESTART: _START | _AGAIN}, _RECOVERY),
    _DOUBLE: _row({_CHARACTERS: _DOUBLE, b"\\": _DOUBLE_ESCAPE, b'"': TokenKind.STRING}),
    _DOUBLE_ESCAPE: _row({_CHARACTERS: _DOUBLE}),
    _SINGLE: _row({_CHARACTERS: _SINGLE, b"\\": _SINGLE_ESCAPE, b"'": TokenKind.STRING}),
    _SINGLE_ESCAPE: _row({_CHARACTERS: _SINGLE}),
    _SIGN: _row({b"0": _ZERO, b"123456789": _DIGITS}),
    _ZERO: _row({_DIGIT: TokenKind.STRAY, b".": _POINT}, _INTEGER_ENDS),
    _DIGITS: _row({_DIGIT: _DIGITS, b".": _POINT, b"eE": _EXPONENT}, _INTEGER_ENDS),
    _POINT: _row({_DIGIT: _FRACTION}),
    _FRACTION: _row({_DIGIT: _FRACTION, b"eE": _EXPONENT}, _FLOAT_ENDS),
    _EXPONENT: _row({b"+-": _EXPONENT_SIGN, _DIGIT: _EXPONENT_DIGITS}),
    _EXPONENT_SIGN: _row({_DIGIT: _EXPONENT_DIGITS}),
    _EXPONENT_DIGITS: _row({_DIGIT: _EXPONENT_DIGITS}, _FLOAT_ENDS),
    _WORD: _row({_LETTERS: _WORD}, TokenKind.KEYWORD | _AGAIN),
}

_RUNS: Final = {
    _START: re.compile(rb"[ \t\r\n]*+"),
    _RECOVERY: re.compile(rb"[^" + re.escape(_RESTART) + rb"]*+"),
    _DOUBLE: re.compile(rb"(?:[\x20\x21\x23-\x5b\x5d-\xfd]++|\\[\x20-\xfd])*+"),
    _SINGLE: re.compile(rb"(?:[\x20-\x26\x28-\x5b\x5d-\xfd]++|\\[\x20-\xfd])*+"),
    _DIGITS: re.compile(rb"[0-9]*+"),
    _FRACTION: re.compile(rb"[0-9]*+"),
    _EXPONENT_DIGITS: re.compile(rb"[0-9]*+"),
    _WORD: re.compile(rb"[a-z]*+"),
}

_WHOLE: Final = re.compile(
    rb"[ \t\r\n]*+(?:([{}\[\]:,])"
    rb'|("(?:[\x20\x21\x23-\x5b\x5d-\xfd]++|\\[\x20-\xfd])*+")'
    rb"|(-?(?:0(?=[^0-9.])|[1-9][0-9]*+(?=[^0-9.eE])))"
    rb"|([a-z]++(?=[^a-z])))"
)
"""A token that is complete whatever follows: a bracket, a string, an integer, a keyword."""
_WHOLE_KINDS: Final = (None, None, TokenKind.STRING, TokenKind.INTEGER, TokenKind.KEYWORD)


class Lexer:
    """Splits a stream into tokens; white space is dropped.

    Args:
        max_token: length of the longest token, in bytes; a longer one is given up as ``TOO_LONG``
            and what follows is read as if a token began there.
    """

    def __init__(self, max_token: int = 64 << 20) -> None:
        self._max_token = max_token
        self._state = _START
        self._begun = bytearray()

    @property
    def between(self) -> bool:
        """Whether the last byte ended a token, so that a message may begin."""
        return self._state == _START

    def feed(self, data: bytes) -> Iterator[Token]:
        """Yield the tokens that these bytes complete. Take all of them before feeding again."""
        pos = 0
        while pos < len(data):
            whole = _WHOLE.match(data, pos) if self._state == _START else None
            if whole is not None and whole.end() - pos <= self._max_token:
                group = whole.lastindex or 0
                text = whole[group]
                pos = whole.end()
                yield Token(_WHOLE_KINDS[group] or _BRACKETS[text], text)
                continue
            if self._state in (_START, _RECOVERY):
                pos = self._skip(data, pos)
                if pos == len(data):
                    return
            begin = pos
            pos, kind = self._advance(data, pos)
            self._begun += data[begin:pos]
            if kind is None and len(self._begun) > self._max_token:
                kind = TokenKind.TOO_LONG
            if kind is not None:
                text = bytes(self._begun)
                self._begun.clear()
                self._state = _RECOVERY if kind == TokenKind.STRAY else _START
                yield Token(kind, text)

    def steps(self, data: bytes) -> Iterator[Token | Pause]:
        """Yield as :meth:`feed`, and a pause after each 8 KiB."""
        for first in range(0, len(data), STEP_BYTES):
            if first:
                yield PAUSE
            yield from self.feed(data[first : first + STEP_BYTES])

    def _skip(self, data: bytes, pos: int) -> int:
        """Return where the next token begins, at or after ``pos``."""
        while self._state == _RECOVERY:
            pos = _run_end(_RECOVERY, data, pos, len(data))
            if pos == len(data):
                return pos
            self._state = _START
        return _run_end(_START, data, pos, len(data))

    def _advance(self, data: bytes, pos: int) -> tuple[int, TokenKind | None]:
        """Return where the token at ``pos`` ends and its kind; None where it goes on."""
        end = min(len(data), pos + self._max_token + 1 - len(self._begun))
        state = self._state
        while pos < end:
            if state in _RUNS and state != _START:
                pos = _run_end(state, data, pos, end)
                if pos == end:
                    break
            entry = _TABLE[state][data[pos]]
            if not entry & _AGAIN:
                pos += 1
            state = entry & ~_AGAIN
            if state < _START:
                return pos, TokenKind(state)
        self._state = state
        return pos, None


def _run_end(state: int, data: bytes, pos: int, end: int) -> int:
    run = _RUNS[state].match(data, pos, end)
    return run.end() if run else pos
