"""What everything stands on: addresses, units, errors, the clock, interrupt lines."""

from guestmap.base.addresses import parse_address, parse_address_range
from guestmap.base.addrrange import ADDRESS_SPACE_SIZE, AddrRange
from guestmap.base.clock import Clock, HostClock, ManualClock, Timer
from guestmap.base.errors import (
    ConfigError,
    FixedError,
    GuestmapError,
    HostError,
    PeerError,
    StateError,
    UnsupportedError,
)
from guestmap.base.irq import IrqLine
from guestmap.base.periodic_timer import PeriodicTimer
from guestmap.base.printable import printable, printable_lines, shortened
from guestmap.base.units import (
    GIB,
    KIB,
    MIB,
    TIB,
    exact_size,
    format_size,
    parse_duration,
    parse_memory_size,
    parse_size,
)
from guestmap.base.vm_clock import VmClock
from guestmap.base.whole_file import whole_file, write_whole

__all__ = [
    "ADDRESS_SPACE_SIZE",
    "GIB",
    "KIB",
    "MIB",
    "TIB",
    "AddrRange",
    "Clock",
    "ConfigError",
    "FixedError",
    "GuestmapError",
    "HostClock",
    "HostError",
    "IrqLine",
    "ManualClock",
    "PeerError",
    "PeriodicTimer",
    "StateError",
    "Timer",
    "UnsupportedError",
    "VmClock",
    "exact_size",
    "format_size",
    "parse_address",
    "parse_address_range",
    "parse_duration",
    "parse_memory_size",
    "parse_size",
    "printable",
    "printable_lines",
    "shortened",
    "whole_file",
    "write_whole",
]
