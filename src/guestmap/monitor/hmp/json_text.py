"""JSON for people, spaced and broken into lines as QEMU's monitor does."""

from __future__ import annotations

from guestmap.qmp import JsonValue, encode

_INDENT = "    "


def pretty_json(value: JsonValue, indent: str = "") -> str:
    """Return the value, one member or element on a line."""
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
