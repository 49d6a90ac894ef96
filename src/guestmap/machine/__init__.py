"""Machines: from a configuration to a wired PC, and from a PC to one that runs."""

from guestmap.machine.command_line import config_of
from guestmap.machine.config import DeviceSpec, MachineConfig, parse_ram_size
from guestmap.machine.events import MachineEvent, MachineEvents
from guestmap.machine.layout import RamLayout
from guestmap.machine.pc import Pc
from guestmap.machine.phases import DESCRIPTIONS, Phase, PhaseChange, PhaseTracker
from guestmap.machine.run_state import Event, LogLine, MachineReset, RunState
from guestmap.machine.stopped import stopped_machine
from guestmap.machine.vm import VirtualMachine

__all__ = [
    "DESCRIPTIONS",
    "DeviceSpec",
    "Event",
    "LogLine",
    "MachineConfig",
    "MachineEvent",
    "MachineEvents",
    "MachineReset",
    "Pc",
    "Phase",
    "PhaseChange",
    "PhaseTracker",
    "RamLayout",
    "RunState",
    "VirtualMachine",
    "config_of",
    "parse_ram_size",
    "stopped_machine",
]
