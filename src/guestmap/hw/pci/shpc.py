"""The standard hot-plug controller of ``pci-bridge``: one power switch and two lamps for each slot.

PCI Standard Hot-Plug Controller and Subsystem Specification 1.0, section 4.4 (working register set)
and 3.5 (commands). Commands complete at once. A slot that is switched off while its power lamp is
dark gives its functions up, as in QEMU 7.2; so does one that is off already, when it is asked to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.base import ConfigError
from guestmap.hw.device import IoRegion
from guestmap.hw.pci import shpc_registers as reg
from guestmap.hw.pci.registers import CAPABILITY_SHPC
from guestmap.hw.pci.shpc_registers import HotplugRegisters
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.hw.pci.bus import PciBus
    from guestmap.hw.pci.device import PciFunction

BAR_SIZE = 0x100

_INVALID_COMMAND, _INVALID_MODE = 1 << 2, 1 << 3
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
        self._registers = HotplugRegisters()
        self._get, self._put = self._registers.slot_field, self._registers.set_slot_field
        self.data = self._registers.data
        device.add_capability(CAPABILITY_SHPC, offset, _CAPABILITY_LENGTH)
        device.config.allow_write(offset + _CAPABILITY_SELECT, 0xFF)
        sizes = AccessSizes(1, 4)
        ops = MemoryRegionOps(
            read=self.read, write=self.write, endianness=Endianness.LITTLE, valid=sizes
        )
        inner = ((0, IoRegion("shpc-mmio", reg.SIZE, ops)),)
        bar = IoRegion("shpc-bar", BAR_SIZE, None, inner, is_container=True)
        self.region = device.make(bar)
        self.reset()

    def reset(self) -> None:
        """Forget commands and events; each slot is on if something is in it."""
        self._registers.start_over(lambda slot: (slot + reg.FIRST_SLOT) << 3 in self._bus.devices)
        self._update_interrupt()

    def attached(self, device: PciFunction[Any]) -> None:
        """Switch the slot of a function on that is there from the start."""
        slot = (device.devfn >> 3) - reg.FIRST_SLOT
        if slot >= 0 and not self._bus.ready:
            self._registers.set_occupied(slot, occupied=True)

    def refuse(self, device: PciFunction[Any]) -> None:
        """Refuse a function in a slot that it does not switch.

        Raises:
            ConfigError: it is in one; QEMU's words.
        """
        slot = device.devfn >> 3
        if slot < reg.FIRST_SLOT:
            raise ConfigError(
                f"Unsupported PCI slot {slot} for standard hotplug controller. Valid slots are"
                f" between {reg.FIRST_SLOT} and {reg.FIRST_SLOT + reg.SLOTS - 1}."
            )

    def tell_plugged(self, device: PciFunction[Any]) -> None:
        """Tell the guest that a slot has got a function: as if somebody had put a card in."""
        slot = (device.devfn >> 3) - reg.FIRST_SLOT
        events = reg.EVENT_BUTTON
        if self._get(slot, reg.LATCH_OPEN):
            self._put(slot, reg.LATCH_OPEN, 0)
            self._put(slot, reg.PRESENCE, 0)
            events |= reg.EVENT_LATCH | reg.EVENT_PRESENCE
        self._happened(slot, events)

    def unplug_request(self, device: PciFunction[Any]) -> None:
        """Ask the guest to let a slot go; one that it has switched off goes at once."""
        slot = (device.devfn >> 3) - reg.FIRST_SLOT
        if (
            self._get(slot, reg.STATE) == reg.DISABLED
            and self._get(slot, reg.POWER_LAMP) == reg.LAMP_OFF
        ):
            self._eject(slot)
            self._happened(slot, 0)
        else:
            self._happened(slot, reg.EVENT_BUTTON)

    def _happened(self, slot: int, events: int) -> None:
        self._registers.note_events(slot, events)
        self._put(slot, reg.RUNS_AT_66MHZ, 0)
        self._update_interrupt()

    # -- registers -------------------------------------------------------------------------------

    def read(self, offset: int, size: int) -> int:
        """Return ``size`` bytes of the working registers."""
        return self._registers.read(offset, size) if offset < reg.SIZE else 0

    def write(self, offset: int, value: int, size: int) -> None:
        """Write ``size`` bytes of the working registers; the command bytes run a command."""
        if offset >= reg.SIZE:
            return
        self._registers.write(offset, value, size)
        if offset <= reg.TARGET and offset + size > reg.COMMAND:
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

    # -- commands --------------------------------------------------------------------------------

    def _run_command(self) -> None:
        data = self._registers.data
        code, target = data[reg.COMMAND], data[reg.TARGET]
        data[reg.COMMAND_STATUS] = 0
        if code < _SET_SPEED_33MHZ:
            self._switch(target, code & 3, code >> 2 & 3, code >> 4 & 3)
        elif code <= _SET_SPEED_LAST:
            if code != _SET_SPEED_33MHZ:
                data[reg.COMMAND_STATUS] |= _INVALID_MODE
        elif code in {_POWER_ONLY_ALL, _ENABLE_ALL}:
            self._switch_all(reg.POWER_ONLY if code == _POWER_ONLY_ALL else reg.ENABLED)
        else:
            data[reg.COMMAND_STATUS] |= _INVALID_COMMAND
        data[reg.COMMAND_DONE] |= 1

    def _switch_all(self, state: int) -> None:
        if any(self._get(slot, reg.STATE) == reg.ENABLED for slot in range(reg.SLOTS)):
            self._registers.data[reg.COMMAND_STATUS] |= _INVALID_COMMAND
            return
        for slot in range(reg.SLOTS):
            self._switch(slot + 1, state, reg.LAMP_ON, reg.NO_CHANGE)

    def _switch(self, target: int, state: int, power_lamp: int, attention_lamp: int) -> None:
        slot = target - 1
        present = self._get(slot, reg.STATE) if 0 <= slot < reg.SLOTS else reg.NO_CHANGE
        if not 0 <= slot < reg.SLOTS or (present == reg.ENABLED and state == reg.POWER_ONLY):
            self._registers.data[reg.COMMAND_STATUS] |= _INVALID_COMMAND
            return
        if power_lamp != reg.NO_CHANGE:
            self._put(slot, reg.POWER_LAMP, power_lamp)
        if attention_lamp != reg.NO_CHANGE:
            self._put(slot, reg.ATTENTION_LAMP, attention_lamp)
        if present == reg.DISABLED and state in {reg.POWER_ONLY, reg.ENABLED}:
            self._put(slot, reg.STATE, state)
        elif present in {reg.POWER_ONLY, reg.ENABLED} and state == reg.DISABLED:
            self._put(slot, reg.STATE, state)
            if self._get(slot, reg.POWER_LAMP) == reg.LAMP_OFF:
                self._eject(slot)

    def _eject(self, slot: int) -> None:
        first = (slot + reg.FIRST_SLOT) << 3
        for devfn in range(first, first + 8):
            device = self._bus.devices.get(devfn)
            if device is not None:
                self._bus.root.on_eject(device)
        self._put(slot, reg.LATCH_OPEN, 1)
        self._put(slot, reg.PRESENCE, reg.EMPTY)
        self._registers.note_events(slot, reg.EVENT_PRESENCE | reg.EVENT_LATCH)

    def _update_interrupt(self) -> None:
        self._set_interrupt(self._registers.locate_interrupt())
