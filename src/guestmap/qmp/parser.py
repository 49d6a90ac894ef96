"""The exact decoder: tokens of one message to a value, with QEMU's texts for what is wrong.

It walks with a stack of its own, so that a message of QEMU's 1024 levels does not meet Python's
recursion limit. The first thing that is wrong decides the text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from guestmap.qmp.lexer import Lexer, Token, TokenKind
from guestmap.qmp.strings import BadStringError, string_value

if TYPE_CHECKING:
    from collections.abc import Iterator

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
"""Every value that QMP carries. Integers fit 64 bits, signed or unsigned; all others are floats."""

INT64_MIN: Final = -(1 << 63)
UINT64_MAX: Final = (1 << 64) - 1
_KEYWORDS: Final[dict[bytes, bool | None]] = {b"true": True, b"false": False, b"null": None}
_END: Final = Token(TokenKind.STRAY, b"")


class BadJsonError(ValueError):
    """A message that is no JSON; the text says why, in QEMU's words."""


def parse(message: bytes) -> JsonValue:
    """Return the value of one message as the framer gives it.

    Raises:
        BadJsonError: it is no JSON; the first complaint, in QEMU's words.
    """
    tokens = Lexer(len(message) + 1).feed(message + b" ")
    try:
        return _parse(tokens)
    except BadStringError as error:
        raise BadJsonError(str(error)) from None


def integer(text: str) -> int | float:
    """Return the number of an integer token: a float where 64 bits do not hold it."""
    if len(text) <= 20:
        value = int(text)
        if INT64_MIN <= value <= UINT64_MAX:
            return value
    return float(text)


class _Object:
    """An object whose end has not come: what it holds, and the key whose value is awaited."""

    __slots__ = ("key", "pairs")

    def __init__(self) -> None:
        self.pairs: dict[str, JsonValue] = {}
        self.key: str | None = None


def _parse(tokens: Iterator[Token]) -> JsonValue:
    stack: list[_Object | list[JsonValue]] = []
    token = _next(tokens)
    while True:
        # A value begins at the token: an element, a member's key or a member's value.
        value: JsonValue
        if token.kind == TokenKind.LBRACE:
            token = _next(tokens)
            if token.kind != TokenKind.RBRACE:
                stack.append(_Object())
                continue
            value = {}
        elif token.kind == TokenKind.LBRACKET:
            token = _next(tokens)
            if token.kind != TokenKind.RBRACKET:
                stack.append([])
                continue
            value = []
        else:
            value = _scalar(token)
        # The value is complete; so may be what it stands in.
        while True:
            if not stack:
                return value
            token = _next(tokens)
            if _hold(stack[-1], value, token):
                top = stack.pop()
                value = top.pairs if isinstance(top, _Object) else top
                continue
            token = _next(tokens)
            break


def _next(tokens: Iterator[Token]) -> Token:
    token = next(tokens, _END)
    if token is _END:
        raise BadJsonError("premature EOI")
    return token


def _scalar(token: Token) -> JsonValue:
    kind, text = token
    if kind == TokenKind.STRING:
        return string_value(text)
    if kind == TokenKind.INTEGER:
        return integer(text.decode())
    if kind == TokenKind.FLOAT:
        return float(text)
    if kind != TokenKind.KEYWORD:
        raise BadJsonError("expecting value")
    if text not in _KEYWORDS:
        raise BadJsonError(f"invalid keyword '{text.decode()}'")
    return _KEYWORDS[text]


def _hold(holder: _Object | list[JsonValue], value: JsonValue, token: Token) -> bool:
    """Put a value where it belongs; ``token`` follows it. Return whether the holder ends there."""
    kind = token.kind
    if isinstance(holder, list):
        holder.append(value)
        if kind not in (TokenKind.COMMA, TokenKind.RBRACKET):
            raise BadJsonError("expected separator in list")
        return kind == TokenKind.RBRACKET
    if holder.key is None:
        if not isinstance(value, str):
            raise BadJsonError("key is not a string in object")
        if kind != TokenKind.COLON:
            raise BadJsonError("missing : in object pair")
        holder.key = value
        return False
    if holder.key in holder.pairs:
        raise BadJsonError("duplicate key")
    holder.pairs[holder.key] = value
    holder.key = None
    if kind not in (TokenKind.COMMA, TokenKind.RBRACE):
        raise BadJsonError("expected separator in dict")
    return kind == TokenKind.RBRACE
