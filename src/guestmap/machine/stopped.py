"""Machines that no CPU runs: for programs, and recordings, that play the CPU themselves."""

from __future__ import annotations

from collections.abc import Sequence

from guestmap.base import ManualClock
from guestmap.machine.boards.pc_i440fx.board import Pc
from guestmap.machine.options.command_line import config_of


def stopped_machine(command_line: Sequence[str]) -> Pc:
    """Return the PC of a QEMU command line, at reset; its clock stands still.

    What the guest asks of the machine (a reset, to be switched off) is carried out at once.

    Raises:
        UnsupportedError: it has a part that is not modelled; names it.
        ConfigError, HostError: it cannot be made.
    """
    pc = Pc(config_of(command_line), ManualClock())
    pc.on_reset_request = lambda _reason: pc.system_reset()
    return pc
