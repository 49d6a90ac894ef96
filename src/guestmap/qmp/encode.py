"""Replies and events to bytes, spaced as QEMU spaces them: ``", "``, ``": "`` and CRLF at the end.

Everything is ASCII on the wire. A float that no double holds (a client may send ``1e999`` as an id)
is written as ``1e999``, which reads back as the same value; QEMU writes ``inf``, which is no JSON.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from guestmap.qmp.parser import JsonValue

LINE_END: Final = b"\r\n"
_ENCODER: Final = json.JSONEncoder(allow_nan=False, check_circular=False)


def encode(value: JsonValue) -> bytes:
    """Return the JSON text of a value, without the line end."""
    try:
        return _ENCODER.encode(value).encode()
    except (ValueError, RecursionError):
        return "".join(_pieces(value)).encode()


def encode_line(value: JsonValue) -> bytes:
    """Return one line of the protocol."""
    return encode(value) + LINE_END


class _Text(str):
    """A piece of JSON that is ready, beside values that are not."""

    __slots__ = ()


def _pieces(value: JsonValue) -> list[str]:
    """Return the JSON text in pieces, without recursion and for every float."""
    pieces: list[str] = []
    stack: list[JsonValue] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, _Text):
            pieces.append(item)
        elif isinstance(item, dict):
            inner: list[JsonValue] = [_Text("{")]
            for name, member in item.items():
                inner += [_Text(f"{', ' if len(inner) > 1 else ''}{json.dumps(name)}: "), member]
            stack += reversed([*inner, _Text("}")])
        elif isinstance(item, list):
            inner = [_Text("[")]
            for member in item:
                inner += [_Text(", "), member] if len(inner) > 1 else [member]
            stack += reversed([*inner, _Text("]")])
        elif isinstance(item, float) and not math.isfinite(item):
            pieces.append("-1e999" if item < 0 else "1e999")
        else:
            pieces.append(json.dumps(item))
    return pieces
