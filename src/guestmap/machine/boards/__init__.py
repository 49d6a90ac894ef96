"""The boards that there are, one folder each, and what boards of x86 machines share.

A board's folder declares it in its ``__init__``, which imports little; the board itself is
imported when one is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from guestmap.base import UnsupportedError
from guestmap.machine.boards.declare import BoardOption, BoardType
from guestmap.machine.boards.microvm import MICROVM
from guestmap.machine.boards.none import NONE
from guestmap.machine.boards.pc_i440fx import PC_I440FX
from guestmap.machine.options.strings import option, split_options

if TYPE_CHECKING:
    from guestmap.base import Clock
    from guestmap.machine.board import Board
    from guestmap.machine.config import MachineConfig

__all__ = [
    "BOARDS",
    "BoardOption",
    "BoardType",
    "board_names",
    "board_type",
    "boards_help",
    "machine_help",
    "make_board",
    "read_machine",
]

BOARDS: Final = (MICROVM, PC_I440FX, NONE)


def board_type(name: str) -> BoardType:
    """Return the board of a name or an alias.

    Raises:
        UnsupportedError: there is none; lists those that there are.
    """
    for each in BOARDS:
        if name and name in {each.name, each.alias}:
            return each
    raise UnsupportedError(
        f"machine type {name} is not modelled: choose one of {', '.join(board_names())}"
    )


def board_names() -> tuple[str, ...]:
    """Return every name and alias."""
    return tuple(name for each in BOARDS for name in (each.alias, each.name) if name)


def read_machine(text: str) -> dict[str, Any]:
    """Return the fields of a :class:`MachineConfig` that ``-M NAME[,OPTION=VALUE...]`` sets.

    Raises:
        ConfigError: no such option, or not such a value; QEMU's words.
        UnsupportedError: no such board, or an option that is not modelled.
    """
    with option("M", text):
        pairs = split_options(text, "type")
        name = next((value for key, value in pairs if key == "type"), "pc")
        board = board_type(name)
        others = [pair for pair in pairs if pair[0] != "type"]
        board.check_names(key for key, _ in others)
        return board.read(others)


def make_board(
    config: MachineConfig, clock: Clock | None = None, *, epoch_ns: int | None = None
) -> Board:
    """Return a new machine without its CPUs, at reset; see :class:`guestmap.machine.Board`."""
    return config.board.load()(config, clock, epoch_ns=epoch_ns)


def machine_help(text: str) -> str | None:
    """Return what ``-M help`` and ``-M NAME,help`` print; None of other texts.

    Raises:
        UnsupportedError: no such board.
    """
    name, _, rest = text.partition(",")
    if name in {"help", "?"}:
        return boards_help()
    return board_type(name).help if rest in {"help", "?"} else None


def boards_help() -> str:
    """Return what ``-M help`` prints."""
    return "Supported machines are:\n" + "".join(each.help_lines for each in BOARDS)
