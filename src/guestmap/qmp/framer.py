"""Messages of a QMP stream: where one ends and the next begins, within bounds.

A message ends where its braces and brackets are balanced, or where they cannot be any more. What
is between is not looked at here: ``{1]`` is a message, which the decoder then refuses. The bounds,
their order and their texts are QEMU's (qobject/json-streamer).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guestmap.base.dataclass import dataclass
from guestmap.qmp.lexer import Lexer, Token, TokenKind
from guestmap.qmp.steps import PAUSE, STEP_TOKENS, Pause, join
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
    """Splits a stream into messages, whatever the pieces it comes in.

    A message of too many tokens is refused when the first that is too much comes; the rest of it is
    passed over.
    """

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
        self._refused = False

    @property
    def idle(self) -> bool:
        """Whether nothing is pending: the next byte begins a message."""
        return not self._tokens and self._lexer.between

    def feed(self, data: bytes) -> Iterator[bytes | ParseFailure]:
        """Yield each message that these bytes complete, and each failure, in order.

        A message is its tokens with single spaces between them. Take all before feeding again.
        """
        for item in self.steps(data):
            if item is not PAUSE:
                yield item

    def steps(self, data: bytes) -> Iterator[bytes | ParseFailure | Pause]:
        """Yield as :meth:`feed`, and a pause after each 256 tokens or 16 KiB."""
        tokens = 0  # since the last pause
        for token in self._lexer.steps(data):
            result: bytes | ParseFailure | None = None
            if token is PAUSE:
                tokens += STEP_TOKENS // 2
            elif token.kind is _STRAY:
                self._reset()
                quoted = yield from join(lenient_text(token.text))
                result = ParseFailure(f"JSON parse error, stray '{quoted}'")
            else:
                tokens += 1
                result = self._add(token)
            if result is not None:
                yield result
            if tokens >= STEP_TOKENS:
                tokens = 0
                yield PAUSE

    def _add(self, token: Token) -> bytes | ParseFailure | None:
        """Take a token, and return the message or the failure that it ends or is."""
        kind, text = token
        deeper = _DEEPER.get(kind)
        if deeper is not None:
            self._braces += deeper[0]
            self._brackets += deeper[1]
        braces, brackets = self._braces, self._brackets
        is_end = (braces <= 0 and brackets <= 0) or braces < 0 or brackets < 0
        failure = None if self._refused else self._excess(text)
        result: bytes | ParseFailure | None = failure
        if failure is None and not self._refused:
            self._size += len(text)
            self._tokens += 1
            self._message += text
            self._message += b" "
            result = bytes(self._message) if is_end else None
        if is_end or (failure is not None and not self._refused):
            self._reset()
        return result

    def _excess(self, text: bytes) -> ParseFailure | None:
        """Return what speaks against one token more; QEMU's order."""
        if self._size + len(text) + 1 > self.limits.message_bytes:
            return ParseFailure("JSON token size limit exceeded")
        if self._tokens + 1 > self.limits.tokens:
            self._refused = True
            self._message.clear()
            return ParseFailure("JSON token count limit exceeded")
        if self._braces + self._brackets > self.limits.nesting:
            return ParseFailure("JSON nesting depth limit exceeded")
        return None
