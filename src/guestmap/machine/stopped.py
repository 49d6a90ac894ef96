"""Machines that no CPU runs: for programs, and recordings, that play the CPU themselves."""

from __future__ import annotations

from collections.abc import Sequence

from guestmap.base import ManualClock
from guestmap.machine.board import Board
from guestmap.machine.boards import make_board
from guestmap.machine.options.command_line import config_of


def stopped_machine(command_line: Sequence[str]) -> Board:
    """Return the machine of a QEMU command line, at reset; its clock stands still.

    What the guest asks of the machine (a reset, to be switched off) is carried out at once.

    Raises:
        UnsupportedError: it has a part that is not modelled; names it.
        ConfigError, HostError: it cannot be made.
    """
    board = make_board(config_of(command_line), ManualClock())
    board.on_reset_request = lambda _reason: board.system_reset()
    return board
