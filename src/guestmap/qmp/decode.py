"""Values from a QMP stream: the quick way for what everybody sends, the exact way for the rest.

Nearly every request is one plain JSON object in one piece. The standard library reads those; what
it would read otherwise than QEMU does (duplicate keys, ``NaN``, ``0e1``, escapes of surrogates,
great depth) is found on the way and left to :mod:`guestmap.qmp.parser`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, NoReturn

from guestmap.qmp.framer import Framer, Limits, ParseFailure
from guestmap.qmp.parser import BadJsonError, JsonValue, integer, parse, parse_steps
from guestmap.qmp.steps import PAUSE, Pause
from guestmap.qmp.strings import plain_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_QUICK_BYTES: Final = 1 << 13
"""What is longer is read in steps: the quick way takes a millisecond for this much."""
_QUICK_NESTING: Final = 200
_BLANKS: Final = " \t\n\r"
_ZERO_EXPONENT: Final = re.compile(r"-?0[eE]")


def _pairs(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate key")
    return value


def _real(text: str) -> float:
    if _ZERO_EXPONENT.match(text):
        raise ValueError("not a number in QEMU's grammar")
    return float(text)


def _constant(name: str) -> NoReturn:
    raise ValueError(name)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=integer, parse_float=_real, parse_constant=_constant
)
_SCAN: Final[Callable[[str, int], tuple[JsonValue, int]]] = vars(_DECODER)["scan_once"]


def decode(message: bytes) -> JsonValue | ParseFailure:
    """Return the value of one message of a :class:`Framer`, or what is wrong with it."""
    value = _quick(message)
    if value is not None:
        return value
    try:
        return parse(message)
    except BadJsonError as error:
        return _failure(error)


def _failure(error: BadJsonError) -> ParseFailure:
    return ParseFailure(f"JSON parse error, {error}")


class Decoder:
    """Values out of a stream, whatever the pieces it comes in, within bounds."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._framer = Framer(limits)
        bounds = self._framer.limits
        roomy = bounds.nesting >= _QUICK_NESTING and bounds.tokens >= _QUICK_BYTES
        self._quick_bytes = min(_QUICK_BYTES, bounds.message_bytes) if roomy else 0

    def feed(self, data: bytes) -> Iterator[JsonValue | ParseFailure]:
        """Yield each value, and each failure, in order. Take all before feeding again."""
        for item in self.steps(data):
            if item is not PAUSE:
                yield item

    def steps(self, data: bytes) -> Iterator[JsonValue | ParseFailure | Pause]:
        """Yield as :meth:`feed`, and pauses."""
        if len(data) < self._quick_bytes and self._framer.idle and data[:1] == b"{":
            value = _quick(data)
            if value is not None:
                yield value
                return
        for message in self._framer.steps(data):
            if message is PAUSE or isinstance(message, ParseFailure):
                yield message
                continue
            value = _quick(message) if len(message) < self._quick_bytes else None
            if value is None:
                try:
                    value = yield from parse_steps(message)
                except BadJsonError as error:
                    yield _failure(error)
                    continue
            yield value


def _quick(data: bytes) -> JsonValue:
    """Return the value of one plain object with nothing after it; None where it is not that."""
    if b"\\u" in data or data.count(b"{") + data.count(b"[") > _QUICK_NESTING:
        return None
    text = plain_text(data)
    if text is None:
        return None
    try:
        value, end = _SCAN(text, 0)
    except (ValueError, StopIteration, RecursionError):
        return None
    # As the library's decode, but for blanks in front: every client of QMP begins with a brace.
    return value if isinstance(value, dict) and not text[end:].strip(_BLANKS) else None
