"""Machines: from a configuration to a wired PC, and from a PC to one that runs."""

from typing import TYPE_CHECKING, Any

from guestmap.machine.board import Board
from guestmap.machine.boards import BOARDS, board_type, make_board, read_machine
from guestmap.machine.boards.pc_i440fx.board import Pc
from guestmap.machine.boards.pc_i440fx.layout import RamLayout
from guestmap.machine.config import DEFAULT_RAM, MachineConfig, check_ram_size, parse_ram_size
from guestmap.machine.events import MachineEvent, MachineEvents
from guestmap.machine.observed import Event, LogLine, MachineReset, TracedAccess
from guestmap.machine.options.device import DeviceSpec
from guestmap.machine.options.memory import MemoryOption
from guestmap.machine.options.numa import NumaNode, parse_nodes
from guestmap.machine.options.object import ObjectSpec
from guestmap.machine.phases import DESCRIPTIONS, Phase, PhaseChange, PhaseTracker
from guestmap.machine.run_state import RunState
from guestmap.machine.vm import VirtualMachine

if TYPE_CHECKING:
    from guestmap.machine.options.command_line import config_of
    from guestmap.machine.stopped import stopped_machine

__all__ = [
    "BOARDS",
    "DEFAULT_RAM",
    "DESCRIPTIONS",
    "Board",
    "DeviceSpec",
    "Event",
    "LogLine",
    "MachineConfig",
    "MachineEvent",
    "MachineEvents",
    "MachineReset",
    "MemoryOption",
    "NumaNode",
    "ObjectSpec",
    "Pc",
    "Phase",
    "PhaseChange",
    "PhaseTracker",
    "RamLayout",
    "RunState",
    "TracedAccess",
    "VirtualMachine",
    "board_type",
    "check_ram_size",
    "config_of",
    "make_board",
    "parse_nodes",
    "parse_ram_size",
    "read_machine",
    "stopped_machine",
]


def __getattr__(name: str) -> Any:
    """Import what reads QEMU's command line where it is asked for: a boot has read its own."""
    if name == "config_of":
        from guestmap.machine.options.command_line import config_of

        return config_of
    if name == "stopped_machine":
        from guestmap.machine.stopped import stopped_machine

        return stopped_machine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
