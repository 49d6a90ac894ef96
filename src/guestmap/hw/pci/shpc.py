"""The standard hot-plug controller of ``pci-bridge``: one power switch and two lamps for each slot.

PCI Standard Hot-Plug Controller and Subsystem Specification 1.0, section 4.4 (working register set)
and 3.5 (commands). Commands complete at once. A slot that is switched off while its power lamp is
dark gives its functions up, as in QEMU 7.2; so does one that is off already, when it is asked to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.base import ConfigError
from guestmap.hw.device import IoRegion
from guestmap.hw.pci.config import ConfigSpace
from guestmap.hw.pci.registers import CAPABILITY_SHPC
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.hw.pci.bus import PciBus
    from guestmap.hw.pci.device import PciFunction

SLOTS = 31
FIRST_SLOT = 1
BAR_SIZE = 0x100

_SLOTS_33MHZ, _SLOT_COUNT, _FIRST_DEVICE, _PHYSICAL_SLOT = 0x04, 0x0C, 0x0D, 0x0E
_PROGRAMMING_INTERFACE = 0x13
_COMMAND, _TARGET, _COMMAND_STATUS = 0x14, 0x15, 0x16
_INTERRUPT_LOCATOR = 0x18
_INTERRUPT_CONTROL, _COMMAND_DONE = 0x20, 0x22
_SLOT_REGISTERS = 0x24
_LATCH, _SLOT_MASK = 2, 3  # in a slot's four bytes
_SIZE = _SLOT_REGISTERS + 4 * SLOTS

_UPWARD_MRL_BUTTON = 0xE000
_INVALID_COMMAND, _INVALID_MODE = 1 << 2, 1 << 3
_GLOBAL_MASK, _COMMAND_MASK = 1 << 0, 1 << 2
_NO_CHANGE, _POWER_ONLY, _ENABLED, _DISABLED = range(4)
_LAMP_ON, _LAMP_OFF = 1, 3
_STATE, _POWER_LAMP, _ATTENTION_LAMP = (0, 3), (2, 3), (4, 3)  # shift, mask in a slot's status
_LATCH_OPEN, _RUNS_AT_66MHZ, _PRESENCE = (8, 1), (9, 1), (10, 3)
_EMPTY = 3
_EVENT_PRESENCE, _EVENT_BUTTON, _EVENT_LATCH = 1 << 0, 1 << 2, 1 << 3
_SET_SPEED_33MHZ, _SET_SPEED_LAST = 0x40, 0x47
_POWER_ONLY_ALL, _ENABLE_ALL = 0x48, 0x49

_CAPABILITY_SELECT, _CAPABILITY_DATA, _CAPABILITY_LENGTH = 2, 4, 8


class HotplugController:
    """The controller's working registers, and its capability in configuration space.

    Args:
        device: the bridge.
        bus: the bus whose slots it switches.
        offset: of the capability, in bytes.
        set_interrupt: called with the interrupt's level.

    Attributes:
        region: ``shpc-bar``, 256 bytes, for the bridge's BAR 0.
        data: the working registers.
    """

    def __init__(
        self,
        device: PciFunction[Any],
        bus: PciBus,
        offset: int,
        set_interrupt: Callable[[bool], None],
    ) -> None:
        self._device = device
        self._bus = bus
        self._offset = offset
        self._set_interrupt = set_interrupt
        self._registers = ConfigSpace()
        self.data = self._registers.data
        device.add_capability(CAPABILITY_SHPC, offset, _CAPABILITY_LENGTH)
        device.config.allow_write(offset + _CAPABILITY_SELECT, 0xFF)
        sizes = AccessSizes(1, 4)
        ops = MemoryRegionOps(
            read=self.read, write=self.write, endianness=Endianness.LITTLE, valid=sizes
        )
        inner = ((0, IoRegion("shpc-mmio", _SIZE, ops)),)
        bar = IoRegion("shpc-bar", BAR_SIZE, None, inner, is_container=True)
        self.region = device.make(bar)
        self._allow_writes()
        self.reset()

    def _allow_writes(self) -> None:
        registers = self._registers
        registers.allow_write(_COMMAND, 0xFF)
        registers.allow_write(_TARGET, 0x1F)
        registers.allow_write(_INTERRUPT_CONTROL, 0x0F)
        registers.allow_clear(_COMMAND_DONE, 0x01)
        for slot in range(SLOTS):
            registers.allow_clear(_SLOT_REGISTERS + 4 * slot + _LATCH, 0x1F)
            registers.allow_write(_SLOT_REGISTERS + 4 * slot + _SLOT_MASK, 0x7F)

    def reset(self) -> None:
        """Forget commands and events; each slot is on if something is in it."""
        registers = self._registers
        registers.data[:] = bytes(len(registers.data))
        registers.set(_SLOTS_33MHZ, SLOTS)
        registers.set(_SLOT_COUNT, SLOTS)
        registers.set(_FIRST_DEVICE, FIRST_SLOT)
        registers.set(_PHYSICAL_SLOT, FIRST_SLOT | _UPWARD_MRL_BUTTON, 2)
        registers.set(_PROGRAMMING_INTERFACE, 1)
        registers.set(_INTERRUPT_CONTROL, 0x0F)
        for slot in range(SLOTS):
            registers.set(_SLOT_REGISTERS + 4 * slot + _SLOT_MASK, 0x7F)
            self._set_occupied(slot, occupied=(slot + FIRST_SLOT) << 3 in self._bus.devices)
        self._update_interrupt()

    def attached(self, device: PciFunction[Any]) -> None:
        """Switch the slot of a function on that is there from the start."""
        slot = (device.devfn >> 3) - FIRST_SLOT
        if slot >= 0 and not self._bus.ready:
            self._set_occupied(slot, occupied=True)

    def refuse(self, device: PciFunction[Any]) -> None:
        """Refuse a function in a slot that it does not switch.

        Raises:
            ConfigError: it is in one; QEMU's words.
        """
        slot = device.devfn >> 3
        if slot < FIRST_SLOT:
            raise ConfigError(
                f"Unsupported PCI slot {slot} for standard hotplug controller. Valid slots are"
                f" between {FIRST_SLOT} and {FIRST_SLOT + SLOTS - 1}."
            )

    def tell_plugged(self, device: PciFunction[Any]) -> None:
        """Tell the guest that a slot has got a function: as if somebody had put a card in."""
        slot = (device.devfn >> 3) - FIRST_SLOT
        events = _EVENT_BUTTON
        if self._get(slot, _LATCH_OPEN):
            self._set(slot, _LATCH_OPEN, 0)
            self._set(slot, _PRESENCE, 0)
            events |= _EVENT_LATCH | _EVENT_PRESENCE
        self._happened(slot, events)

    def unplug_request(self, device: PciFunction[Any]) -> None:
        """Ask the guest to let a slot go; one that it has switched off goes at once."""
        slot = (device.devfn >> 3) - FIRST_SLOT
        if self._get(slot, _STATE) == _DISABLED and self._get(slot, _POWER_LAMP) == _LAMP_OFF:
            self._eject(slot)
            self._happened(slot, 0)
        else:
            self._happened(slot, _EVENT_BUTTON)

    def _happened(self, slot: int, events: int) -> None:
        self._registers.data[_SLOT_REGISTERS + 4 * slot + _LATCH] |= events
        self._set(slot, _RUNS_AT_66MHZ, 0)
        self._update_interrupt()

    # -- registers -------------------------------------------------------------------------------

    def read(self, offset: int, size: int) -> int:
        """Return ``size`` bytes of the working registers."""
        return self._registers.read(offset, size) if offset < _SIZE else 0

    def write(self, offset: int, value: int, size: int) -> None:
        """Write ``size`` bytes of the working registers; the command bytes run a command."""
        if offset >= _SIZE:
            return
        self._registers.write(offset, value, size)
        if offset <= _TARGET and offset + size > _COMMAND:
            self._run_command()
        self._update_interrupt()

    def config_written(self, offset: int, size: int) -> None:
        """Act on a configuration write that may have touched the capability."""
        if offset >= self._offset + _CAPABILITY_LENGTH or offset + size <= self._offset:
            return
        config = self._device.config
        index = 4 * config.data[self._offset + _CAPABILITY_SELECT]
        if offset + size > self._offset + _CAPABILITY_DATA:
            # QEMU 7.2 does not write what the guest wrote: it takes the datum from the working
            # registers, at the offset that the capability's data has in configuration space.
            self.write(index, self.read(self._offset + _CAPABILITY_DATA, 4), 4)
        config.set(self._offset + _CAPABILITY_DATA, self.read(index, 4), 4)

    # -- slots -----------------------------------------------------------------------------------

    def _get(self, slot: int, field: tuple[int, int]) -> int:
        shift, mask = field
        return self._registers.read(_SLOT_REGISTERS + 4 * slot, 2) >> shift & mask

    def _set(self, slot: int, field: tuple[int, int], value: int) -> None:
        shift, mask = field
        offset = _SLOT_REGISTERS + 4 * slot
        status = self._registers.read(offset, 2) & ~(mask << shift) | value << shift
        self._registers.set(offset, status, 2)

    def _set_occupied(self, slot: int, *, occupied: bool) -> None:
        self._set(slot, _STATE, _ENABLED if occupied else _DISABLED)
        self._set(slot, _POWER_LAMP, _LAMP_ON if occupied else _LAMP_OFF)
        self._set(slot, _LATCH_OPEN, 0 if occupied else 1)
        self._set(slot, _PRESENCE, 0 if occupied else _EMPTY)

    # -- commands --------------------------------------------------------------------------------

    def _run_command(self) -> None:
        data = self._registers.data
        code, target = data[_COMMAND], data[_TARGET]
        data[_COMMAND_STATUS] = 0
        if code < _SET_SPEED_33MHZ:
            self._switch(target, code & 3, code >> 2 & 3, code >> 4 & 3)
        elif code <= _SET_SPEED_LAST:
            if code != _SET_SPEED_33MHZ:
                data[_COMMAND_STATUS] |= _INVALID_MODE
        elif code in {_POWER_ONLY_ALL, _ENABLE_ALL}:
            self._switch_all(_POWER_ONLY if code == _POWER_ONLY_ALL else _ENABLED)
        else:
            data[_COMMAND_STATUS] |= _INVALID_COMMAND
        data[_COMMAND_DONE] |= 1

    def _switch_all(self, state: int) -> None:
        if any(self._get(slot, _STATE) == _ENABLED for slot in range(SLOTS)):
            self._registers.data[_COMMAND_STATUS] |= _INVALID_COMMAND
            return
        for slot in range(SLOTS):
            self._switch(slot + 1, state, _LAMP_ON, _NO_CHANGE)

    def _switch(self, target: int, state: int, power_lamp: int, attention_lamp: int) -> None:
        slot = target - 1
        present = self._get(slot, _STATE) if 0 <= slot < SLOTS else _NO_CHANGE
        if not 0 <= slot < SLOTS or (present == _ENABLED and state == _POWER_ONLY):
            self._registers.data[_COMMAND_STATUS] |= _INVALID_COMMAND
            return
        if power_lamp != _NO_CHANGE:
            self._set(slot, _POWER_LAMP, power_lamp)
        if attention_lamp != _NO_CHANGE:
            self._set(slot, _ATTENTION_LAMP, attention_lamp)
        if present == _DISABLED and state in {_POWER_ONLY, _ENABLED}:
            self._set(slot, _STATE, state)
        elif present in {_POWER_ONLY, _ENABLED} and state == _DISABLED:
            self._set(slot, _STATE, state)
            if self._get(slot, _POWER_LAMP) == _LAMP_OFF:
                self._eject(slot)

    def _eject(self, slot: int) -> None:
        first = (slot + FIRST_SLOT) << 3
        for devfn in range(first, first + 8):
            device = self._bus.devices.get(devfn)
            if device is not None:
                self._bus.root.on_eject(device)
        self._set(slot, _LATCH_OPEN, 1)
        self._set(slot, _PRESENCE, _EMPTY)
        self._registers.data[_SLOT_REGISTERS + 4 * slot + _LATCH] |= _EVENT_PRESENCE | _EVENT_LATCH

    # -- interrupt -------------------------------------------------------------------------------

    def _update_interrupt(self) -> None:
        data = self._registers.data
        control = data[_INTERRUPT_CONTROL]
        locator = 1 if data[_COMMAND_DONE] & 1 and not control & _COMMAND_MASK else 0
        for slot in range(SLOTS):
            base = _SLOT_REGISTERS + 4 * slot
            if data[base + _LATCH] & ~data[base + _SLOT_MASK]:
                locator |= 2 << slot
        self._registers.set(_INTERRUPT_LOCATOR, locator, 4)
        self._set_interrupt(bool(locator) and not control & _GLOBAL_MASK)
