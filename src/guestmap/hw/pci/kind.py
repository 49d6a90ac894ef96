"""What all PCI functions have: their declared type, and a state."""

from __future__ import annotations

from typing import Annotated, TypeVar

from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import SWITCH, declare, fact, setting
from guestmap.hw.pci import registers as reg
from guestmap.qom import BOOL, STR, UINT32, PropertyType

IS_PCI = ("conventional-pci-device",)
"""The interface of functions of plain PCI."""
_EMPTY = bytes(reg.CONFIG_SIZE)

SLOT = PropertyType("int32", lambda _, value: value, lambda _, value: value)
"""``SLOT[.FUNCTION]`` in hexadecimal, or a number; whoever plugs a function in reads it."""

PCI_DEVICE = declare(
    "pci-device",
    "device",
    setting("addr", SLOT, -1, "Slot and optional function number, example: 06.0 or 06"),
    setting("romfile", STR),
    setting("romsize", UINT32, 0xFFFF_FFFF),
    setting("rombar", UINT32, 1),
    setting("multifunction", BOOL, False, SWITCH),
    setting("x-pcie-lnksta-dllla", BOOL, True, SWITCH),
    setting("x-pcie-extcap-init", BOOL, True, SWITCH),
    setting("failover_pair_id", STR),
    setting("acpi-index", UINT32, 0),
    fact("legacy-addr", STR, ""),
    abstract=True,
    bus="PCI",
)


@dataclass(slots=True)
class PciState:
    """What every function has: its configuration space, and what does not follow from it.

    Attributes:
        config: the registers; the function's own, and here once it is saved.
        interrupt: the level of its pin.
        mastering: whether it reaches the memory: that lags behind the command register.
    """

    config: Annotated[bytes, Meta(min_length=reg.CONFIG_SIZE, max_length=reg.CONFIG_SIZE)] = _EMPTY
    interrupt: bool = False
    mastering: bool = False


PciStateT = TypeVar("PciStateT", bound=PciState)
