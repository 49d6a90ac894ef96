"""The exact decoder: tokens of one message to a value, with QEMU's texts for what is wrong.

It walks with a stack of its own, so that a message of QEMU's 1024 levels does not meet Python's
recursion limit. The first thing that is wrong decides the text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from guestmap.qmp.lexer import Lexer, Token, TokenKind
from guestmap.qmp.steps import PAUSE, STEP_TOKENS, Pause, join
from guestmap.qmp.strings import BadStringError, string_text

if TYPE_CHECKING:
    from collections.abc import Generator

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
"""Every value that QMP carries. Integers fit 64 bits, signed or unsigned; all others are floats."""

INT64_MIN: Final = -(1 << 63)
UINT64_MAX: Final = (1 << 64) - 1
_KEYWORDS: Final[dict[bytes, bool | None]] = {b"true": True, b"false": False, b"null": None}


class BadJsonError(ValueError):
    """A message that is no JSON; the text says why, in QEMU's words."""


def parse(message: bytes) -> JsonValue:
    """Return the value of one message as the framer gives it.

    Raises:
        BadJsonError: it is no JSON; the first complaint, in QEMU's words.
    """
    steps = parse_steps(message)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            value: JsonValue = end.value
            return value


def parse_steps(message: bytes) -> Generator[Pause, None, JsonValue]:
    """Return as :func:`parse`, in steps."""
    builder = _Builder()
    tokens = 0
    try:
        for token in Lexer(len(message) + 1).steps(message + b" "):
            tokens += 1
            if tokens % STEP_TOKENS == 0:
                yield PAUSE
            if token is PAUSE:
                yield PAUSE
            elif token.kind == TokenKind.STRING and builder.awaits_value:
                builder.add_value((yield from join(string_text(token.text))))
            else:
                builder.add(token)
            if builder.is_complete:
                return builder.value
    except BadStringError as error:
        raise BadJsonError(str(error)) from None
    raise BadJsonError("premature EOI")


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


class _Builder:
    """A value that grows token by token; it is complete when nothing is open any more."""

    __slots__ = ("_fresh", "_stack", "awaits_value", "is_complete", "value")

    def __init__(self) -> None:
        self._stack: list[_Object | list[JsonValue]] = []
        self._fresh = False  # the last token opened a holder, which may end at once
        self.awaits_value = True  # an element, a member's key or a member's value
        self.is_complete = False
        self.value: JsonValue = None

    def add(self, token: Token) -> None:
        kind = token.kind
        if not self.awaits_value:
            if _hold(self._stack[-1], self.value, token):
                self._end_holder()
            else:
                self.awaits_value = True
        elif self._fresh and kind == self._end_of_holder():
            self._end_holder()
        elif kind in (TokenKind.LBRACE, TokenKind.LBRACKET):
            self._stack.append(_Object() if kind == TokenKind.LBRACE else [])
            self._fresh = True
        else:
            self.add_value(_scalar(token))

    def add_value(self, value: JsonValue) -> None:
        """Take a value; what follows it says where it belongs."""
        self.value = value
        self.awaits_value = self._fresh = False
        self.is_complete = not self._stack

    def _end_of_holder(self) -> TokenKind:
        is_list = isinstance(self._stack[-1], list)
        return TokenKind.RBRACKET if is_list else TokenKind.RBRACE

    def _end_holder(self) -> None:
        top = self._stack.pop()
        self.add_value(top if isinstance(top, list) else top.pairs)


def _scalar(token: Token) -> JsonValue:
    kind, text = token
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
