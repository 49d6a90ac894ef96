"""JSON of a large value piece by piece: what is written is never whole in memory."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from guestmap.cli.output import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_AT_ONCE = 250
"""So many structs of a list are one piece."""


def json_pieces(value: Any) -> Iterator[str]:
    """Yield what together is ``json_text(msgspec.to_builtins(value), indent=1)``.

    Args:
        value: a dataclass of dataclasses, tuples, msgspec's structs and plain values.
    """
    return _pieces(value, "\n")


def _pieces(value: Any, margin: str) -> Iterator[str]:
    inside = margin + " "
    if is_dataclass(value):
        yield "{"
        for index, each in enumerate(fields(value)):
            yield f'{"," if index else ""}{inside}"{each.name}": '
            yield from _pieces(getattr(value, each.name), inside)
        yield f"{margin}}}"
    elif isinstance(value, tuple) and value:
        yield "["
        yield from _elements(value, inside)
        yield f"{margin}]"
    else:
        yield _small(value, margin)


def _elements(values: tuple[Any, ...], inside: str) -> Iterator[str]:
    if is_dataclass(values[0]):
        for index, each in enumerate(values):
            yield ("," if index else "") + inside
            yield from _pieces(each, inside)
        return
    margin = inside[:-1]
    for first in range(0, len(values), _AT_ONCE):
        listed = _small(values[first : first + _AT_ONCE], margin)
        yield ("," if first else "") + listed[1 : -1 - len(margin)]


def _small(value: Any, margin: str) -> str:
    return json_text(msgspec.to_builtins(value), indent=1).replace("\n", margin)
