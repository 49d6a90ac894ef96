"""Every device that there is: the one place that has to know of a new one."""

from __future__ import annotations

from typing import Any

from guestmap.hw.declare import ISA_DEVICE, SYS_BUS_DEVICE, DeclaredType
from guestmap.hw.device import Device
from guestmap.hw.i8254 import I8254
from guestmap.hw.mc146818 import Mc146818
from guestmap.hw.serial import Serial16550, Uart

DEVICES: tuple[type[Device[Any]], ...] = (
    I8254,
    Mc146818,
    Serial16550,
    Uart,
)


def declared_types() -> tuple[DeclaredType, ...]:
    """Return the types of all devices, and what they inherit from."""
    roots = (ISA_DEVICE, SYS_BUS_DEVICE)
    found = {each.name: each for each in roots}
    for device in DEVICES:
        found |= {each.name: each for each in device.TYPE.lineage}
    return tuple(found.values())
