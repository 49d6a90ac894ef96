"""JSON on a line of the human monitor, and in its answers."""

from __future__ import annotations

from guestmap.base import ConfigError
from guestmap.qmp import Framer, JsonValue, ParseFailure, decode, encode

_INDENT = "    "
_END = b"\n"
"""Ends a token, and the text of one that cannot end."""


def read_json(text: str) -> JsonValue:
    """Return the one value that a text holds.

    Raises:
        ConfigError: it holds none, or several; says what QEMU does.
    """
    framer = Framer()
    found: list[JsonValue] = []
    for message in framer.feed(text.encode("utf-8", "surrogatepass") + _END):
        value = message if isinstance(message, ParseFailure) else decode(message)
        if found:
            raise ConfigError("Expecting at most one JSON value")
        if isinstance(value, ParseFailure):
            raise ConfigError(value.desc.replace(f"{_END.decode()}'", "'"))
        found.append(value)
    if not framer.idle:
        raise ConfigError("JSON parse error, premature EOI")
    if not found:
        raise ConfigError("Expecting a JSON value")
    return found[0]


def pretty_json(value: JsonValue, indent: str = "") -> str:
    """Return the value for people: one member or element on a line, as QEMU's monitor does."""
    inner = indent + _INDENT
    if isinstance(value, dict):
        members = [
            f"{inner}{encode(name).decode()}: {pretty_json(each, inner)}"
            for name, each in value.items()
        ]
        return _enclosed("{", members, indent + "}")
    if isinstance(value, list):
        return _enclosed("[", [inner + pretty_json(each, inner) for each in value], indent + "]")
    return encode(value).decode()


def _enclosed(first: str, lines: list[str], last: str) -> str:
    return "\n".join([first, ",\n".join(lines), last] if lines else [first, last])
