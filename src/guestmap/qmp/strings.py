r"""Strings of QMP's JSON: escapes, and UTF-8 as QEMU reads it.

QEMU keeps strings in modified UTF-8: NUL is the two bytes C0 80, so ``\u0000`` may stand in a
string. Surrogates, noncharacters (U+FDD0..U+FDEF, U+xxFFFE, U+xxFFFF), overlong forms and
everything above U+10FFFF are refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from guestmap.qmp.steps import PIECE

if TYPE_CHECKING:
    from collections.abc import Iterator

_SEQUENCES: Final = re.compile(
    rb"([\x00-\x7f]++)|[\xc0-\xdf][\x80-\xbf]{0,1}+|[\xe0-\xef][\x80-\xbf]{0,2}+"
    rb"|[\xf0-\xf7][\x80-\xbf]{0,3}+|[\xf8-\xfb][\x80-\xbf]{0,4}+|[\xfc-\xfd][\x80-\xbf]{0,5}+"
    rb"|[\x80-\xbf\xfe\xff]"
)
"""One sequence of UTF-8, good or bad, or a run of ASCII."""
_PIECES: Final = re.compile(rb"[^\\]{1,%d}+[\x80-\xbf]{0,5}+" % PIECE)
"""Bytes without a backslash that end where a sequence does."""

_NONCHARACTERS: Final = re.compile(
    "[\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | low) for plane in range(17) for low in (65534, 65535))
    + "]"
)
_NONCHARACTER_BYTES: Final = (b"\xef\xb7", b"\xbf\xbe", b"\xbf\xbf")
"""What the UTF-8 of a noncharacter holds: seen at once where there is none."""
_ESCAPES: Final = {
    b"\\b": "\b",
    b"\\f": "\f",
    b"\\n": "\n",
    b"\\r": "\r",
    b"\\t": "\t",
    b'\\"': '"',
    b"\\'": "'",
    b"\\\\": "\\",
    b"\\/": "/",
}
_HEX4: Final = re.compile(rb"[0-9A-Fa-f]{4}")


class BadStringError(ValueError):
    """A string token that holds no string; the text says why, in QEMU's words."""


def plain_text(data: bytes) -> str | None:
    """Return UTF-8 as text, or None where it is not plain: bad, or with a noncharacter."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if text.isascii() or not any(ends in data for ends in _NONCHARACTER_BYTES):
        return text
    return None if _NONCHARACTERS.search(text) else text


def lenient_text(data: bytes) -> Iterator[str]:
    """Yield the text of any bytes up to the first NUL; U+FFFD for each bad sequence.

    Error messages quote what a client sent, whatever it is.
    """
    data, _, _ = data.partition(b"\0")
    pos = 0
    while pos < len(data):
        if piece := _PIECES.match(data, pos):
            text = plain_text(piece.group())
            yield from _lenient(piece.group()) if text is None else (text,)
            pos = piece.end()
        else:
            yield "\\"
            pos += 1


def _lenient(data: bytes) -> Iterator[str]:
    for piece in _SEQUENCES.finditer(data):
        yield _sequence(piece.group()) or "\ufffd"


def string_text(token: bytes) -> Iterator[str]:
    """Yield what a string token says, in pieces; ``token`` includes its quotes.

    Raises:
        BadStringError: a bad escape, or bytes that are no UTF-8.
    """
    body = token[1:-1]
    pos = 0
    while pos < len(body):
        piece = _PIECES.match(body, pos)
        if piece is None:
            character, pos = _escape(body, pos, token)
            yield character
            continue
        text, pos = plain_text(piece.group()), piece.end()
        yield from _exact(piece.group()) if text is None else (text,)


def _exact(data: bytes) -> Iterator[str]:
    for piece in _SEQUENCES.finditer(data):
        text = _sequence(piece.group())
        if not text:
            raise BadStringError("invalid UTF-8 sequence in string")
        yield text


def _sequence(data: bytes) -> str:
    """Return the character of one sequence, a run of ASCII, or "" where it is bad."""
    if data == b"\xc0\x80":
        return "\0"
    return plain_text(data) or ""


def _escape(body: bytes, pos: int, token: bytes) -> tuple[str, int]:
    simple = _ESCAPES.get(body[pos : pos + 2])
    if simple is not None:
        return simple, pos + 2
    if body[pos + 1 : pos + 2] != b"u":
        raise BadStringError("invalid escape sequence in string")
    code, end = _code(body, pos), pos + 6
    if 0xD800 <= code < 0xDC00 and body[end : end + 2] == b"\\u":
        trail = _code(body, end)
        good = 0xDC00 <= trail < 0xE000
        code = 0x10000 + ((code & 0x3FF) << 10 | trail & 0x3FF) if good else -1
        end += 6 if good else 0
    if code < 0 or 0xD800 <= code < 0xE000 or _NONCHARACTERS.match(chr(code)):
        quoted = "".join(lenient_text(token[pos + 1 : end + 1]))
        raise BadStringError(f"{quoted} is not a valid Unicode character")
    return chr(code), end


def _code(body: bytes, pos: int) -> int:
    digits = _HEX4.match(body, pos + 2)
    return int(digits.group(), 16) if digits else -1
