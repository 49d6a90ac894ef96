"""The working registers of a standard hot-plug controller: what they hold, and of which slot.

PCI Standard Hot-Plug Controller and Subsystem Specification 1.0, section 4.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.pci.config import ConfigSpace

if TYPE_CHECKING:
    from collections.abc import Callable

SLOTS = 31
FIRST_SLOT = 1

_SLOTS_33MHZ, _SLOT_COUNT, _FIRST_DEVICE, _PHYSICAL_SLOT = 0x04, 0x0C, 0x0D, 0x0E
_PROGRAMMING_INTERFACE = 0x13
COMMAND, TARGET, COMMAND_STATUS = 0x14, 0x15, 0x16
_INTERRUPT_LOCATOR = 0x18
_INTERRUPT_CONTROL, COMMAND_DONE = 0x20, 0x22
_SLOT_REGISTERS = 0x24
_LATCH, _SLOT_MASK = 2, 3  # in a slot's four bytes
SIZE = _SLOT_REGISTERS + 4 * SLOTS
"""Bytes of the registers."""

_UPWARD_MRL_BUTTON = 0xE000
_GLOBAL_MASK, _COMMAND_MASK = 1 << 0, 1 << 2
NO_CHANGE, POWER_ONLY, ENABLED, DISABLED = range(4)
LAMP_ON, LAMP_OFF = 1, 3
STATE, POWER_LAMP, ATTENTION_LAMP = (0, 3), (2, 3), (4, 3)  # shift, mask in a slot's status
LATCH_OPEN, RUNS_AT_66MHZ, PRESENCE = (8, 1), (9, 1), (10, 3)
EMPTY = 3
EVENT_PRESENCE, EVENT_BUTTON, EVENT_LATCH = 1 << 0, 1 << 2, 1 << 3


class HotplugRegisters(ConfigSpace):
    """The registers; slots count from 0 here."""

    def __init__(self) -> None:
        super().__init__()
        self.allow_write(COMMAND, 0xFF)
        self.allow_write(TARGET, 0x1F)
        self.allow_write(_INTERRUPT_CONTROL, 0x0F)
        self.allow_clear(COMMAND_DONE, 0x01)
        for slot in range(SLOTS):
            self.allow_clear(_SLOT_REGISTERS + 4 * slot + _LATCH, 0x1F)
            self.allow_write(_SLOT_REGISTERS + 4 * slot + _SLOT_MASK, 0x7F)

    def start_over(self, is_occupied: Callable[[int], bool]) -> None:
        """Forget commands and events; each slot is on if something is in it."""
        self.data[:] = bytes(len(self.data))
        self.set(_SLOTS_33MHZ, SLOTS)
        self.set(_SLOT_COUNT, SLOTS)
        self.set(_FIRST_DEVICE, FIRST_SLOT)
        self.set(_PHYSICAL_SLOT, FIRST_SLOT | _UPWARD_MRL_BUTTON, 2)
        self.set(_PROGRAMMING_INTERFACE, 1)
        self.set(_INTERRUPT_CONTROL, 0x0F)
        for slot in range(SLOTS):
            self.set(_SLOT_REGISTERS + 4 * slot + _SLOT_MASK, 0x7F)
            self.set_occupied(slot, occupied=is_occupied(slot))

    def slot_field(self, slot: int, field: tuple[int, int]) -> int:
        """Return a field of a slot's status: ``STATE``, ``POWER_LAMP`` and so on."""
        shift, mask = field
        return self.read(_SLOT_REGISTERS + 4 * slot, 2) >> shift & mask

    def set_slot_field(self, slot: int, field: tuple[int, int], value: int) -> None:
        """Set a field of a slot's status."""
        shift, mask = field
        offset = _SLOT_REGISTERS + 4 * slot
        self.set(offset, self.read(offset, 2) & ~(mask << shift) | value << shift, 2)

    def set_occupied(self, slot: int, *, occupied: bool) -> None:
        """Have a slot be on, with something in it, or off and empty."""
        self.set_slot_field(slot, STATE, ENABLED if occupied else DISABLED)
        self.set_slot_field(slot, POWER_LAMP, LAMP_ON if occupied else LAMP_OFF)
        self.set_slot_field(slot, LATCH_OPEN, 0 if occupied else 1)
        self.set_slot_field(slot, PRESENCE, 0 if occupied else EMPTY)

    def note_events(self, slot: int, events: int) -> None:
        """Note what has happened to a slot, until the guest clears it."""
        self.data[_SLOT_REGISTERS + 4 * slot + _LATCH] |= events

    def locate_interrupt(self) -> bool:
        """Say in the locator who wants an interrupt; return whether there is to be one."""
        data = self.data
        control = data[_INTERRUPT_CONTROL]
        locator = 1 if data[COMMAND_DONE] & 1 and not control & _COMMAND_MASK else 0
        for slot in range(SLOTS):
            base = _SLOT_REGISTERS + 4 * slot
            if data[base + _LATCH] & ~data[base + _SLOT_MASK]:
                locator |= 2 << slot
        self.set(_INTERRUPT_LOCATOR, locator, 4)
        return bool(locator) and not control & _GLOBAL_MASK
