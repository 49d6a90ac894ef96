"""Properties from the text of one line, as QEMU's string visitor reads it.

It differs from the text of options in two things: numbers that are none are told apart by their
sign, and a list of numbers is written as ``0-3,8``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.qom.values import parse_unsigned

if TYPE_CHECKING:
    from guestmap.qom import Object

_MOST_IN_RANGE = 65536
_NO_LIST = "Parameter 'null' expects list of uint64 values or ranges"


def set_from_text(obj: Object, name: str, text: str) -> None:
    """Set a property.

    Raises:
        ConfigError: there is none of that name, or it does not take this.
    """
    prop = obj.find_property(name)
    if prop.set is not None and prop.get is not None and isinstance(prop.get(obj), list):
        obj.set(name, list(_numbers(text)))
        return
    try:
        obj.set_text(name, text)
    except ConfigError as error:
        if str(error) != f"Parameter '{name}' expects integer":
            raise
        raise ConfigError(f"Parameter '{name}' expects {_integer_of(obj, name)}") from error


def _integer_of(obj: Object, name: str) -> str:
    """Return what QEMU calls the integers that a property takes."""
    try:
        is_signed = obj.find_property(name).type.from_text(name, "-1") == -1
    except ConfigError:
        is_signed = False
    return "int64" if is_signed else "uint64"


def _numbers(text: str) -> list[int]:
    """Return the numbers of ``0-3,8``.

    Raises:
        ConfigError: it is no such text, or too much.
    """
    numbers: list[int] = []
    parts = text.split(",")
    if len(parts) > _MOST_IN_RANGE:
        raise ConfigError(_NO_LIST)
    if not parts[-1] and len(parts) > 1:
        parts.pop()  # a comma at the end is no mistake
    for part in parts:
        low, dash, high = part.partition("-") if part[:1] != "-" else (part, "", "")
        first = parse_unsigned(low)
        last = parse_unsigned(high) if dash else first
        if first is None or last is None or not first <= last < first + _MOST_IN_RANGE:
            raise ConfigError(_NO_LIST)
        numbers += range(first, last + 1)
        if len(numbers) > _MOST_IN_RANGE:
            raise ConfigError(_NO_LIST)
    return numbers
