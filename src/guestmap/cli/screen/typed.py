"""What a terminal sends for a key, as the keys of a PC's keyboard (a US one).

Escape sequences as xterm sends them ("XTerm Control Sequences", PC-style function keys).
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

_PLAIN = {
    " ": "spc", "-": "minus", "=": "equal", "[": "bracket_left", "]": "bracket_right",
    ";": "semicolon", "'": "apostrophe", "`": "grave_accent", "\\": "backslash", ",": "comma",
    ".": "dot", "/": "slash", "\r": "ret", "\n": "ret", "\t": "tab", "\x7f": "backspace",
    "\b": "backspace", "\x1b": "esc",
}  # fmt: skip
_SHIFTED = dict(zip('!@#$%^&*()_+{}:"~|<>?', "1234567890-=[];'`\\,./", strict=True))
_SEQUENCES = MappingProxyType(
    {
        b"[A": "up", b"[B": "down", b"[C": "right", b"[D": "left", b"[H": "home", b"[F": "end",
        b"OA": "up", b"OB": "down", b"OC": "right", b"OD": "left", b"OH": "home", b"OF": "end",
        b"[1~": "home", b"[4~": "end", b"[2~": "insert", b"[3~": "delete", b"[5~": "pgup",
        b"[6~": "pgdn", b"OP": "f1", b"OQ": "f2", b"OR": "f3", b"OS": "f4", b"[11~": "f1",
        b"[12~": "f2", b"[13~": "f3", b"[14~": "f4", b"[15~": "f5", b"[17~": "f6", b"[18~": "f7",
        b"[19~": "f8", b"[20~": "f9", b"[21~": "f10", b"[23~": "f11", b"[24~": "f12",
    }
)  # fmt: skip
_ESCAPE = 0x1B
_LONGEST = max(map(len, _SEQUENCES))


def keys_of(data: bytes) -> Iterator[tuple[str, ...]]:
    """Yield what is pressed together for each key that was typed: ``("ctrl", "c")``.

    What no key sends is passed over.
    """
    at = 0
    while at < len(data):
        length = _sequence(data, at) if data[at] == _ESCAPE else 0
        if length:
            yield (_SEQUENCES[data[at + 1 : at + 1 + length]],)
        elif keys := _character(chr(data[at])):
            yield keys
        at += 1 + length


def _sequence(data: bytes, at: int) -> int:
    """Return how long the sequence behind an escape is; 0 for none that is known."""
    lengths = range(_LONGEST, 0, -1)
    return next((n for n in lengths if data[at + 1 : at + 1 + n] in _SEQUENCES), 0)


def _character(typed: str) -> tuple[str, ...]:
    if typed in _SHIFTED:
        return ("shift", *_character(_SHIFTED[typed]))
    if typed in _PLAIN:
        return (_PLAIN[typed],)
    if typed.isascii() and typed.isalnum():
        return ("shift", typed.lower()) if typed.isupper() else (typed,)
    if "\x01" <= typed <= "\x1a":
        return ("ctrl", chr(ord(typed) + 0x60))
    return ()
