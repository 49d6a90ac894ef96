"""Messages of a QMP stream: where one ends and the next begins, within bounds.

A message ends where its braces and brackets are balanced, or where they cannot be any more. What
is between is not looked at here: ``{1]`` is a message, which the decoder then refuses. The bounds,
their order and their texts are QEMU's (qobject/json-streamer).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from guestmap.qmp.lexer import Lexer, Token, TokenKind
from guestmap.qmp.strings import lenient_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_STRAY: Final = TokenKind.STRAY
_DEEPER: Final = {
    TokenKind.LBRACE: (1, 0),
    TokenKind.RBRACE: (-1, 0),
    TokenKind.LBRACKET: (0, 1),
    TokenKind.RBRACKET: (0, -1),
}
"""What a token adds to the counts of open braces and of open brackets."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a message is kept while its end has not come.

    Attributes:
        message_bytes: sum of the lengths of its tokens.
        tokens: how many.
        nesting: open braces and brackets.
    """

    message_bytes: int = 64 << 20
    tokens: int = 2 << 20
    nesting: int = 1024


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """Bytes that are no message; ``desc`` is the text for the error reply."""

    desc: str


class Framer:
    """Splits a stream into messages, whatever the pieces it comes in."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._lexer = Lexer(self.limits.message_bytes)
        self._reset()

    def _reset(self) -> None:
        self._message = bytearray()
        self._size = 0
        self._tokens = 0
        self._braces = 0
        self._brackets = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is pending: the next byte begins a message."""
        return not self._tokens and self._lexer.between

    def feed(self, data: bytes) -> Iterator[bytes | ParseFailure]:
        """Yield each message that these bytes complete, and each failure, in order.

        A message is its tokens with single spaces between them. Take all before feeding again.
        """
        for token in self._lexer.feed(data):
            result = self._add(token)
            if result is not None:
                self._reset()
                yield result

    def _add(self, token: Token) -> bytes | ParseFailure | None:
        kind, text = token
        if kind is _STRAY:
            return ParseFailure(f"JSON parse error, stray '{lenient_text(text)}'")
        deeper = _DEEPER.get(kind)
        if deeper is not None:
            self._braces += deeper[0]
            self._brackets += deeper[1]
        if self._size + len(text) + 1 > self.limits.message_bytes:
            return ParseFailure("JSON token size limit exceeded")
        if self._tokens + 1 > self.limits.tokens:
            return ParseFailure("JSON token count limit exceeded")
        if self._braces + self._brackets > self.limits.nesting:
            return ParseFailure("JSON nesting depth limit exceeded")
        self._size += len(text)
        self._tokens += 1
        self._message += text
        self._message += b" "
        balanced = self._braces <= 0 and self._brackets <= 0
        if balanced or self._braces < 0 or self._brackets < 0:
            return bytes(self._message)
        return None
