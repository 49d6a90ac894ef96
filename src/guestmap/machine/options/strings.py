"""QEMU's option strings: ``first,key=value,...``, and the typed values in them.

Syntax and refusals are QEMU 7.2's (``QemuOpts`` and its visitor): a doubled comma stands for a
comma, a bare ``key`` is ``key=on`` and ``nokey`` is ``key=off``, and one of several values for
the same key is the last. Every refusal is a :class:`~guestmap.base.ConfigError` with the sentence
QEMU prints behind the option's own text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, UnsupportedError
from guestmap.base.pattern import pattern
from guestmap.base.units import parse_bytes

if TYPE_CHECKING:
    from guestmap.qmp import JsonValue

_TRUE, _FALSE = frozenset({"on", "yes", "true", "y"}), frozenset({"off", "no", "false", "n"})
__all__ = [
    "identifier",
    "json_object",
    "last_values",
    "option",
    "split_options",
    "to_bool",
    "to_memory_size",
    "to_numbers",
    "to_size",
    "to_unsigned",
    "to_wrapped",
]

_UNSIGNED = pattern(r"\s*\+?(0[xX][0-9a-fA-F]+|[0-9]+)", re.ASCII)
_RANGE_LIMIT = 65536


@contextmanager
def option(name: str, text: str) -> Iterator[None]:
    """Put ``-name text: `` in front of every refusal raised inside, as QEMU does."""
    try:
        yield
    except (ConfigError, UnsupportedError) as error:
        raise type(error)(f"-{name} {text}: {error}") from error


def split_options(text: str, first: str = "") -> list[tuple[str, str]]:
    """Return the keys and values of an option string, in order.

    Args:
        text: ``value,key=value,...``.
        first: the key of a first item that has no ``=``; "" where there is none.

    >>> split_options("memory-backend-file,id=m0,mem-path=a,,b,share", "qom-type")
    [('qom-type', 'memory-backend-file'), ('id', 'm0'), ('mem-path', 'a,b'), ('share', 'on')]
    """
    pairs, at = [], 0
    while at < len(text):  # a comma at the end begins nothing
        end = next((n for n in range(at, len(text)) if text[n] in ",="), len(text))
        key = text[at:end]
        if text[end : end + 1] == "=":
            value, at = _value(text, end + 1)
        elif at == 0 and first:
            key = first
            value, at = _value(text, at)
        elif key.startswith("no"):  # a doubled comma stands for one in values only
            key, value, at = key[2:], "off", end + 1
        else:
            value, at = "on", end + 1
        pairs.append((key, value))
    return pairs


def _value(text: str, at: int) -> tuple[str, int]:
    """Return the value that begins at ``at``, and where the next item does."""
    parts: list[str] = []
    while True:
        end = text.find(",", at)
        if end < 0:
            return "".join([*parts, text[at:]]), len(text)
        parts.append(text[at:end])
        if text[end : end + 2] != ",,":
            return "".join(parts), end + 1
        parts.append(",")
        at = end + 2


def last_values(
    pairs: Iterable[tuple[str, str]], known: Iterable[str] | None = None
) -> dict[str, str]:
    """Return the last value of each key.

    Raises:
        ConfigError: a key is not one of ``known``.
    """
    values: dict[str, str] = {}
    names = None if known is None else frozenset(known)
    for key, value in pairs:
        if names is not None and key not in names:
            raise ConfigError(f"Invalid parameter '{key}'")
        values[key] = value
    return values


def json_object(text: str) -> dict[str, JsonValue]:
    """Return the object that an option given as JSON holds.

    Raises:
        ConfigError: it is no JSON, or more than one value; QEMU's texts.
    """
    from guestmap.qmp import Framer, ParseFailure, decode

    framer = Framer()
    messages = [*framer.feed(text.encode("utf-8", "surrogateescape") + b" ")]
    if not messages:
        raise ConfigError("JSON parse error, premature EOI")
    first = messages[0]
    value = first if isinstance(first, ParseFailure) else decode(first)
    if isinstance(value, ParseFailure):
        raise ConfigError(value.desc)
    if len(messages) > 1 or not framer.idle:
        raise ConfigError("Expecting at most one JSON value")
    if not isinstance(value, dict):
        raise ConfigError("a JSON object is wanted")
    return value


# -- values ------------------------------------------------------------------------------------


def identifier(text: str) -> str:
    """Return the text if it can name an object or a device.

    Raises:
        ConfigError: it does not start with a letter, or holds more than letters, digits and
            ``-._``.
    """
    bare = text.replace("-", "").replace(".", "").replace("_", "")
    if not (text.isascii() and text[:1].isalpha() and bare.isalnum()):
        raise ConfigError("Parameter 'id' expects an identifier")
    return text


def to_bool(name: str, text: str) -> bool:
    """Return what on/yes/true/y or off/no/false/n means."""
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ConfigError(f"Parameter '{name}' expects 'on' or 'off'")


def to_unsigned(name: str, text: str, bits: int = 64) -> int:
    """Return an unsigned number: decimal, ``0x`` hexadecimal, or octal with a leading 0."""
    value = _unsigned(text)
    if value is None:
        raise ConfigError(f"Parameter '{name}' expects a uint64 value")
    if value >> bits:
        raise ConfigError(f"Parameter '{name}' expects uint{bits}_t")
    return value


def to_size(name: str, text: str) -> int:
    """Return the bytes that a size names; without a suffix it counts bytes."""
    size = parse_bytes(text)
    if size is None or size >> 64:
        raise ConfigError(f"Parameter '{name}' expects a size value")
    return size


def to_memory_size(name: str, text: str) -> int:
    """Return the bytes that a size of ``-m`` names."""
    size = parse_bytes(text)
    if size is None:
        raise ConfigError(f"Parameter '{name}' expects a non-negative number below 2^64")
    if size >> 64:
        raise ConfigError(f"Value '{text}' is out of range for parameter '{name}'")
    return size


def to_wrapped(name: str, text: str) -> int:
    """Return a number of 64 bits; QEMU lets a minus sign count down from 2**64 here."""
    negative = text.strip().startswith("-")
    value = _unsigned(text.strip()[1:] if negative else text, bits=None)
    if value is None:
        raise ConfigError(f"Parameter '{name}' expects a number")
    if value >> 64:
        raise ConfigError(f"Value '{text}' is too large for parameter '{name}'")
    return -value % (1 << 64) if negative else value


def to_numbers(name: str, texts: Iterable[str], bits: int = 16) -> list[int]:
    """Return the numbers of a list: one or a range ``first-last`` for each text."""
    numbers: list[int] = []
    for text in texts:
        low_text, dash, high_text = text.partition("-")
        low = _unsigned(low_text)
        high = _unsigned(high_text) if dash else low
        if low is None or high is None or not 0 <= high - low < _RANGE_LIMIT:
            raise ConfigError(f"Parameter '{name}' expects a uint64 value or range")
        if high >> bits:
            raise ConfigError(f"Parameter 'null' expects uint{bits}_t")
        numbers += range(low, high + 1)
    return numbers


def _unsigned(text: str, bits: int | None = 64) -> int | None:
    match = _UNSIGNED.fullmatch(text)
    if match is None:
        return None
    digits = match[1]
    octal = len(digits) > 1 and digits[0] == "0" and digits[1] not in "xX"
    try:
        value = int(digits, 8 if octal else 0)
    except ValueError:
        return None
    return value if bits is None or not value >> bits else None
