"""Properties that are numbers: their ranges, and how each dialect writes them.

QEMU reads 64 bits first, signed or unsigned, and looks whether they fit then: so ``-1`` is read by
an unsigned property, as the highest number, and fits only the widest.
"""

from __future__ import annotations

from collections.abc import Callable

from guestmap.base import ConfigError
from guestmap.base.pattern import pattern
from guestmap.base.units import parse_bytes
from guestmap.qom.property_types import PropertyType, expects, invalid_type, text_of
from guestmap.qom.values import (
    JsonValue,
    TextValue,
    integer_of,
    parse_signed,
    parse_unsigned,
)

_MAX_IN_RANGE = 65536
_RANGE = pattern(r"([^-]+)-([^-]+)")
_SIZE_HINT = (
    "\nOptional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-"
    "\nand exabytes, respectively."
)


def _signed_from_json(name: str, value: JsonValue) -> int:
    number = integer_of(value)
    return invalid_type(name, "integer") if number is None or number >> 63 > 0 else number


def _signed_from_text(name: str, value: TextValue) -> int:
    number = parse_signed(text_of(name, value))
    return expects(name, "integer") if number is None else number


def _signed_from_line(name: str, value: str) -> int:
    number = parse_signed(value)
    return expects(name, "int64") if number is None else number


def _signed(bits: int) -> PropertyType:
    def fit(name: str, value: int) -> int:
        fits = -(1 << bits - 1) <= value < 1 << bits - 1
        return value if fits else expects(name, f"int{bits}_t")

    return PropertyType(
        f"int{bits}",
        _signed_from_json,
        _signed_from_text,
        from_line=_signed_from_line,
        fit=fit,
        list_from_line=lambda value: _list(value, parse_signed, "int64"),
    )


def _unsigned_from_json(name: str, value: JsonValue) -> int:
    number = integer_of(value)
    return expects(name, "uint64") if number is None else number % (1 << 64)


def _unsigned_from_text(name: str, value: TextValue) -> int:
    number = parse_unsigned(text_of(name, value))
    return expects(name, "integer") if number is None else number


def _unsigned_from_line(name: str, value: str) -> int:
    number = parse_unsigned(value)
    return expects(name, "uint64") if number is None else number


def _unsigned(bits: int) -> PropertyType:
    def fit(name: str, value: int) -> int:
        return value if not value >> bits else expects(name, f"uint{bits}_t")

    return PropertyType(
        f"uint{bits}",
        _unsigned_from_json,
        _unsigned_from_text,
        from_line=_unsigned_from_line,
        fit=fit,
        list_from_line=lambda value: _list(value, parse_unsigned, "uint64"),
    )


def _list(text: str, parse: Callable[[str], int | None], word: str) -> list[int]:
    """Read ``1-3,5``; a comma may follow the last."""
    numbers: list[int] = []
    for part in text.removesuffix(",").split(","):
        ends = _RANGE.fullmatch(part)
        first = parse(ends[1] if ends else part)
        last = parse(ends[2]) if ends else first
        if first is None or last is None or not 0 <= last - first < _MAX_IN_RANGE:
            expects("null", f"list of {word} values or ranges")
        numbers += range(first, last + 1)
    return numbers


def _size_from_text(name: str, value: TextValue) -> int:
    size = parse_bytes(text_of(name, value))
    return expects(name, "size") if size is None or size >> 64 else size


def _size_from_line(name: str, value: str) -> int:
    size = parse_bytes(value)
    if size is None:
        expects(name, "a non-negative number below 2^64" + _SIZE_HINT)
    if size >> 64:
        raise ConfigError(f"Value '{value}' is out of range for parameter '{name}'")
    return size


INT32 = _signed(32)
INT64 = _signed(64)
INT = INT64.named("int")
UINT8 = _unsigned(8)
UINT16 = _unsigned(16)
UINT32 = _unsigned(32)
UINT64 = _unsigned(64)
SIZE = PropertyType("size", _unsigned_from_json, _size_from_text, from_line=_size_from_line)
