"""Replies and events to bytes, spaced as QEMU spaces them: ``", "``, ``": "`` and CRLF at the end.

Everything is ASCII on the wire. A float that no double holds (a client may send ``1e999`` as an id)
is written as ``1e999``, which reads back as the same value; QEMU writes ``inf``, which is no JSON.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

from guestmap.qmp.steps import PIECE, join

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from guestmap.qmp.parser import JsonValue
    from guestmap.qmp.steps import Pause

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


def encode_steps(value: JsonValue) -> Generator[Pause, None, bytes]:
    """Return as :func:`encode`, in steps."""
    text = yield from join(_pieces(value))
    return text.encode()


def _pieces(value: JsonValue) -> Iterator[str]:
    """Yield the JSON text in pieces, without recursion and for every float."""
    stack: list[tuple[Iterator[tuple[str, JsonValue]], str]] = []
    while True:
        if isinstance(value, dict | list):
            first, last = "{}" if isinstance(value, dict) else "[]"
            yield first
            stack.append((_members(value), last))
        else:
            yield from _scalar(value)
        # What follows: the next member, or the end of what has none any more.
        while stack:
            members, last = stack[-1]
            member = next(members, None)
            if member is not None:
                before, value = member
                yield before
                break
            yield last
            stack.pop()
        else:
            return


def _members(holder: dict[str, JsonValue] | list[JsonValue]) -> Iterator[tuple[str, JsonValue]]:
    """Yield each member and what stands before it."""
    separator = ""
    if isinstance(holder, list):
        for element in holder:
            yield separator, element
            separator = ", "
        return
    for name, member in holder.items():
        yield f"{separator}{json.dumps(name)}: ", member
        separator = ", "


def _scalar(value: JsonValue) -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield "-1e999" if value < 0 else "1e999"
    elif isinstance(value, str) and len(value) > PIECE:
        yield '"'
        for first in range(0, len(value), PIECE):
            yield json.dumps(value[first : first + PIECE])[1:-1]
        yield '"'
    else:
        yield json.dumps(value)
