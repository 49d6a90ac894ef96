"""Values as QMP and the command line write them.

A value comes either from JSON, where it has a type, or as text (``-object a=b``, ``-device a=b``,
the human monitor), where the property says how the text reads. The numbers are C's: ``0x10``,
``010`` for eight, a sign before an unsigned number wraps around. QEMU documents the size suffixes
in its manual ("-m": a suffix of M or G); powers of 1024 from B to E.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final, TypeAlias

from guestmap.base.pattern import pattern

JsonValue: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | None
"""What a QMP message can carry."""

TextValue: TypeAlias = str | Sequence[Any] | Mapping[str, Any]
"""Text, or what dotted keys (``host-nodes.0=1``) make of text: lists and dictionaries of it."""


class Unset(Enum):
    """The type of :data:`UNSET`."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET
"""Says that a property has no default (None is a value)."""

TRUE_WORDS = frozenset({"on", "yes", "true", "y"})
FALSE_WORDS = frozenset({"off", "no", "false", "n"})

_C_INTEGER = pattern(r"[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_LONGEST = 4096
"""Characters of a number: Python refuses to read more than 4300 digits, QEMU reads any count."""


def parse_signed(text: str, bits: int = 64) -> int | None:
    """Read an integer of C's syntax; None where it is none, or does not fit ``bits``."""
    match = _C_INTEGER.fullmatch(text)
    if match is None or len(text) > _LONGEST:
        return None
    value = _magnitude(match[2]) * (-1 if match[1] == "-" else 1)
    return value if -(1 << bits - 1) <= value < 1 << bits - 1 else None


def parse_unsigned(text: str, bits: int = 64) -> int | None:
    """Read an unsigned integer of C's syntax; ``-1`` is the highest number, as in strtoull."""
    match = _C_INTEGER.fullmatch(text)
    if match is None or len(text) > _LONGEST:
        return None
    if (value := _magnitude(match[2])) >> bits:
        return None
    return -value % (1 << bits) if match[1] == "-" else value


def _magnitude(digits: str) -> int:
    if digits[:2] in {"0x", "0X"}:
        return int(digits, 16)
    return int(digits, 8 if digits[0] == "0" else 10)


def integer_of(value: JsonValue) -> int | None:
    """Return the integer that a JSON value is; QEMU takes numbers beyond 64 bits for floats."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -(1 << 63) <= value < 1 << 64 else None


def parse_switch(text: str) -> bool | None:
    """Read ``on``/``yes``/``true``/``y`` or their opposites; None for any other word."""
    if text in TRUE_WORDS:
        return True
    return False if text in FALSE_WORDS else None


def option_text(value: JsonValue) -> str | None:
    """Return the text that QEMU 7.2's ``device_add`` makes of a JSON value before it is read.

    None for what it passes over: null, arrays and objects.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "on" if value else "off"
    if (number := integer_of(value)) is not None:
        return str(number)
    if isinstance(value, float | int):
        try:
            return f"{float(value):.17g}"
        except OverflowError:
            return "inf"
    return None
