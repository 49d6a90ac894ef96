"""What a property's value may be, and what is said about a wrong one.

The texts are QEMU 7.2's, word for word: tools show them to people and some tools match them. A
value is checked in one of three dialects, which QEMU words differently and which all end in the
same Python value: JSON (QMP's ``qom-set``), text (``-object``, ``-device``, ``device_add``) and a
line of text (``-global`` and the human monitor's ``qom-set``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Never

from guestmap.base import ConfigError
from guestmap.base.dataclass import dataclass
from guestmap.qom.values import JsonValue, TextValue, parse_switch


@dataclass(frozen=True, slots=True)
class PropertyType:
    """How a value is checked.

    Each check takes the property's name and the value, and returns the value to be set, or raises
    ConfigError.

    Attributes:
        name: what ``qom-list`` prints; says less than the check does (QEMU prints ``int`` for
            sizes, counts and even lists).
        from_json, from_text, from_line: checks what is written; the last is as from text if None.
        target: the type of the object, for links and children.
        fit: checks the range of what was read, in every dialect; None where all values fit.
        list_from_line: reads a line that lists several values; None where none can.
    """

    name: str
    from_json: Callable[[str, JsonValue], Any]
    from_text: Callable[[str, TextValue], Any]
    target: str = ""
    from_line: Callable[[str, str], Any] | None = None
    fit: Callable[[str, Any], Any] | None = None
    list_from_line: Callable[[str], list[Any]] | None = None

    def check_json(self, name: str, value: JsonValue) -> Any:
        """Check a JSON value."""
        return self._fitting(name, self.from_json(name, value))

    def check_text(self, name: str, value: TextValue) -> Any:
        """Check text from the command line or ``device_add``."""
        return self._fitting(name, self.from_text(name, value))

    def check_line(self, name: str, value: str) -> Any:
        """Check a line of the human monitor's ``qom-set``."""
        return self._fitting(name, (self.from_line or self.from_text)(name, value))

    def _fitting(self, name: str, value: Any) -> Any:
        return value if self.fit is None else self.fit(name, value)

    def named(self, name: str) -> PropertyType:
        """Return the same check under another name."""
        return replace(self, name=name)


def invalid_type(name: str, expected: str) -> Never:
    """Say that a value is of the wrong JSON type."""
    raise ConfigError(f"Invalid parameter type for '{name}', expected: {expected}")


def expects(name: str, what: str) -> Never:
    """Say what a value should have been."""
    raise ConfigError(f"Parameter '{name}' expects {what}")


def text_of(name: str, value: TextValue) -> str:
    """Return text; ConfigError where dotted keys made something else of it."""
    if isinstance(value, str):
        return value
    raise ConfigError(f"Parameters '{name}.*' are unexpected")


# -- booleans and strings ----------------------------------------------------------------------


def _bool_from_json(name: str, value: JsonValue) -> bool:
    return value if isinstance(value, bool) else invalid_type(name, "boolean")


def _bool_from_text(name: str, value: TextValue) -> bool:
    switch = parse_switch(text_of(name, value))
    return switch if switch is not None else expects(name, "'on' or 'off'")


def _str_from_json(name: str, value: JsonValue) -> str:
    return value if isinstance(value, str) else invalid_type(name, "string")


BOOL = PropertyType("bool", _bool_from_json, _bool_from_text)
STR = PropertyType("str", _str_from_json, text_of)
STRING = STR.named("string")


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
        lambda prop, value: choose(prop, text_of(prop, value)),
    )


def link(type_name: str) -> PropertyType:
    """Return the type of a property that names another object by its path; "" for none."""
    return PropertyType(f"link<{type_name}>", _str_from_json, text_of, type_name)


def child(type_name: str) -> PropertyType:
    """Return the type of the property that a child is in its parent."""
    return PropertyType(f"child<{type_name}>", _str_from_json, text_of, type_name)


def list_of(element: PropertyType, name: str | None = None) -> PropertyType:
    """Return the type of a property that takes a list; QEMU prints it as ``name``."""

    def each(check: Callable[[str, Any], Any], prop: str, value: object, place: str) -> list[Any]:
        if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
            invalid_type(prop, "array")
        return [check(place.format(prop, index), item) for index, item in enumerate(value)]

    def line(prop: str, value: str) -> list[Any]:
        if element.list_from_line is None:
            raise ConfigError(f"property '{prop}' cannot be set from one line")
        return element.list_from_line(value)

    def fit(_: str, values: list[Any]) -> list[Any]:
        # An element has no name of its own, and QEMU says so.
        return values if element.fit is None else [element.fit("null", item) for item in values]

    return PropertyType(
        name or f"{element.name}List",
        lambda prop, value: each(element.from_json, prop, value, "{}[{}]"),
        lambda prop, value: each(element.from_text, prop, value, "{}.{}"),
        from_line=line,
        fit=fit,
    )


def opaque(name: str) -> PropertyType:
    """Return a type that takes any value, for structures that their owner checks itself."""
    return PropertyType(name, lambda _, value: value, lambda _, value: value)
