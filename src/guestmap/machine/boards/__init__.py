"""The boards that there are, one folder each, and what boards of x86 machines share.

A board's folder declares it in its ``__init__``, which imports little; the board itself is
imported when one is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guestmap.base import UnsupportedError
from guestmap.machine.boards.declare import BoardOption, BoardType
from guestmap.machine.boards.none import NONE
from guestmap.machine.boards.pc_i440fx import PC_I440FX

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BOARDS", "BoardOption", "BoardType", "board_type", "boards_help"]

BOARDS: Final = (PC_I440FX, NONE)


def board_type(name: str) -> BoardType:
    """Return the board of a name or an alias.

    Raises:
        UnsupportedError: there is none; lists those that there are.
    """
    for each in BOARDS:
        if name and name in {each.name, each.alias}:
            return each
    raise UnsupportedError(
        f"machine type {name} is not modelled: choose one of {', '.join(_names())}"
    )


def _names() -> Iterator[str]:
    for each in BOARDS:
        yield from filter(None, (each.alias, each.name))


def boards_help() -> str:
    """Return what ``-M help`` prints."""
    return "Supported machines are:\n" + "".join(each.help_lines for each in BOARDS)
