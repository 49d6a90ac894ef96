"""What a property's value may be, and what is said about a wrong one.

The texts are QEMU 7.2's, word for word: tools show them to people and some tools match them. A
value is checked in one of two dialects, JSON and text (see :mod:`guestmap.qom.values`); both end
in the same Python value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Never

from guestmap.base import ConfigError
from guestmap.qom.values import (
    JsonValue,
    TextValue,
    parse_bytes,
    parse_signed,
    parse_switch,
    parse_unsigned,
)


@dataclass(frozen=True, slots=True)
class PropertyType:
    """How a value is checked.

    Attributes:
        name: what ``qom-list`` prints; says less than the check does (QEMU prints ``int`` for
            sizes, counts and even lists).
        from_json: takes the property's name and a JSON value; returns the value to be set, or
            raises ConfigError.
        from_text: the same from text.
        target: the type of the object, for links and children.
    """

    name: str
    from_json: Callable[[str, JsonValue], Any]
    from_text: Callable[[str, TextValue], Any]
    target: str = ""

    def named(self, name: str) -> PropertyType:
        """Return the same check under another name."""
        return replace(self, name=name)


def invalid_type(name: str, expected: str) -> Never:
    """Say that a value is of the wrong JSON type."""
    raise ConfigError(f"Invalid parameter type for '{name}', expected: {expected}")


def _expects(name: str, what: str) -> Never:
    raise ConfigError(f"Parameter '{name}' expects {what}")


def _text(name: str, value: TextValue) -> str:
    if isinstance(value, str):
        return value
    raise ConfigError(f"Parameters '{name}.*' are unexpected")


# -- booleans and strings ----------------------------------------------------------------------


def _bool_from_json(name: str, value: JsonValue) -> bool:
    return value if isinstance(value, bool) else invalid_type(name, "boolean")


def _bool_from_text(name: str, value: TextValue) -> bool:
    switch = parse_switch(_text(name, value))
    return switch if switch is not None else _expects(name, "'on' or 'off'")


def _str_from_json(name: str, value: JsonValue) -> str:
    return value if isinstance(value, str) else invalid_type(name, "string")


# -- numbers -----------------------------------------------------------------------------------


def _number(value: JsonValue) -> int | None:
    """Return the integer of a JSON value; numbers beyond 64 bits are floats to QEMU."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -(1 << 63) <= value < 1 << 64 else None


def _signed(bits: int) -> PropertyType:
    def fit(name: str, value: int) -> int:
        if -(1 << bits - 1) <= value < 1 << bits - 1:
            return value
        _expects(name, f"int{bits}_t")

    def from_json(name: str, value: JsonValue) -> int:
        number = _number(value)
        if number is None or number >> 63 > 0:
            invalid_type(name, "integer")
        return fit(name, number)

    def from_text(name: str, value: TextValue) -> int:
        number = parse_signed(_text(name, value))
        return fit(name, _expects(name, "integer") if number is None else number)

    return PropertyType(f"int{bits}", from_json, from_text)


def _unsigned(bits: int) -> PropertyType:
    def fit(name: str, value: int) -> int:
        # QEMU reads 64 bits first, where -1 is the highest number.
        value %= 1 << 64
        return value if not value >> bits else _expects(name, f"uint{bits}_t")

    def from_json(name: str, value: JsonValue) -> int:
        number = _number(value)
        return fit(name, _expects(name, "uint64") if number is None else number)

    def from_text(name: str, value: TextValue) -> int:
        number = parse_unsigned(_text(name, value))
        return fit(name, _expects(name, "integer") if number is None else number)

    return PropertyType(f"uint{bits}", from_json, from_text)


def _size_from_text(name: str, value: TextValue) -> int:
    size = parse_bytes(_text(name, value))
    return size if size is not None else _expects(name, "size")


BOOL = PropertyType("bool", _bool_from_json, _bool_from_text)
STR = PropertyType("str", _str_from_json, _text)
STRING = STR.named("string")
INT32 = _signed(32)
INT64 = _signed(64)
INT = INT64.named("int")
UINT8 = _unsigned(8)
UINT16 = _unsigned(16)
UINT32 = _unsigned(32)
UINT64 = _unsigned(64)
SIZE = PropertyType("size", UINT64.from_json, _size_from_text)


# -- made to measure ---------------------------------------------------------------------------


def enum(name: str, values: Sequence[str]) -> PropertyType:
    """Return the type of a property that takes one of these words."""
    words = frozenset(values)

    def choose(prop: str, word: str) -> str:
        if word in words:
            return word
        raise ConfigError(f"Parameter '{prop}' does not accept value '{word}'")

    return PropertyType(
        name,
        lambda prop, value: choose(prop, _str_from_json(prop, value)),
        lambda prop, value: choose(prop, _text(prop, value)),
    )


def link(type_name: str) -> PropertyType:
    """Return the type of a property that names another object by its path; "" for none."""
    return PropertyType(f"link<{type_name}>", _str_from_json, _text, type_name)


def child(type_name: str) -> PropertyType:
    """Return the type of the property that a child is in its parent."""
    return PropertyType(f"child<{type_name}>", _str_from_json, _text, type_name)


def list_of(element: PropertyType, name: str | None = None) -> PropertyType:
    """Return the type of a property that takes a list; QEMU prints it as ``name``."""

    def each(check: Callable[[str, Any], Any], prop: str, value: object, place: str) -> list[Any]:
        if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
            invalid_type(prop, "array")
        return [check(place.format(prop, index), item) for index, item in enumerate(value)]

    return PropertyType(
        name or f"{element.name}List",
        lambda prop, value: each(element.from_json, prop, value, "{}[{}]"),
        lambda prop, value: each(element.from_text, prop, value, "{}.{}"),
    )


def opaque(name: str) -> PropertyType:
    """Return a type that takes any value, for structures that their owner checks itself."""
    return PropertyType(name, lambda _, value: value, lambda _, value: value)
