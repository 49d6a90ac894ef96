"""QEMU's memory hot-plug registers for ACPI, 24 bytes at port A00h.

QEMU docs/specs/acpi_mem_hotplug. The first register selects a slot, the others are that slot's.
An access is one register's: a byte read at a register's first port is its low byte, and the ports
in between read all ones and take nothing. Nothing here is changed by a reset, as in QEMU: what the
guest was told and has not taken note of waits for the next guest.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, StateError
from guestmap.base.dataclass import dataclass
from guestmap.base.named_tuple import NamedTuple
from guestmap.hw.device import U32, IoRegion, Place, RegisterBlock, Space
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Callable

PORT, PORT_BYTES = 0xA00, 0x18

# Offsets of the registers that are written; the flags are read where commands are written.
_SELECT, _OST_EVENT, _OST_STATUS, _COMMAND = 0x0, 0x4, 0x8, 0x14

_ENABLED, _INSERTING, _REMOVING, _EJECT = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_DWORD = 0xFFFF_FFFF


class PluggedMemory(NamedTuple):
    """What the registers show of a memory device.

    Attributes:
        id: its name, None without one.
        addr, size: where it is, in bytes.
        node: its proximity domain.
    """

    id: str | None
    addr: int
    size: int
    node: int


class OstReport(NamedTuple):
    """What the guest last said of a slot, by ``_OST`` (ACPI specification 6.5, section 6.3.5).

    Attributes:
        slot: the slot's number.
        device_id: of the device in it, None for none or one without a name.
        source: of the event: 1 device check, 3 eject request, 103h ejection in progress.
        status: how it went; 0 is well.
    """

    slot: int
    device_id: str | None
    source: int
    status: int


@dataclass(slots=True)
class MemorySlotState:
    """What the guest was told of a slot, and what it said: that outlives the device in it."""

    inserting: bool = False
    removing: bool = False
    ost_event: U32 = 0
    ost_status: U32 = 0


@dataclass(slots=True)
class MemoryHotplugState:
    """The selected slot, and all slots. What is in them is the machine's to say."""

    selected: U32 = 0
    slots: list[MemorySlotState] = field(default_factory=list)


class AcpiMemoryHotplug(RegisterBlock[MemoryHotplugState]):
    """The slots that memory devices are plugged into, as the guest sees them.

    A reset leaves them alone.

    Args:
        slots: how many there are, 1 to 256.
        raise_gpe: sets bit 3 of the first GPE0 status byte: some slot has news.

    Attributes:
        on_ost: called when the guest says how an event went.
        on_eject: called with the slot whose device the guest has let go. It takes the device out of
            the machine, :meth:`unplug` included; False says that this was not possible.
    """

    OUTLIVES_RESET = ("selected", "slots")

    def __init__(self, slots: int, *, raise_gpe: Callable[[], None]) -> None:
        super().__init__(MemoryHotplugState(slots=[MemorySlotState() for _ in range(slots)]))
        self._devices: list[PluggedMemory | None] = [None] * slots
        self._raise_gpe = raise_gpe
        self.on_ost: Callable[[OstReport], None] = lambda _report: None
        self.on_eject: Callable[[int], bool] = lambda _slot: False

    def places(self) -> tuple[Place, ...]:
        """Return ``acpi-mem-hotplug``, 24 bytes, at port A00h."""
        ops = MemoryRegionOps(
            read=self._read,
            write=self._write,
            endianness=Endianness.LITTLE,
            valid=AccessSizes(1, 4),
        )
        return (Place(Space.IO, PORT, IoRegion("acpi-mem-hotplug", PORT_BYTES, ops)),)

    def load(self, state: MemoryHotplugState) -> None:
        """Go on from there.

        Raises:
            ConfigError: the machine has another number of slots.
        """
        here, saved = len(self._devices), state.slots
        if not isinstance(saved, list) or len(saved) != here:
            raise ConfigError(f"saved state of {self.title}: the machine has {here} memory slots")
        super().load(state)

    # -- the guest's side ------------------------------------------------------------------------

    def _read(self, offset: int, _size: int) -> int:
        if self.state.selected >= len(self.state.slots):
            return 0
        device = self._devices[self.state.selected]
        if device is not None:
            addr, size, node = device[1:]
        else:
            addr = size = node = 0
        registers = {
            0x00: addr,
            0x04: addr >> 32,
            0x08: size,
            0x0C: size >> 32,
            0x10: node,
            _COMMAND: self._flags(self.state.selected),
        }
        return registers.get(offset, _DWORD) & _DWORD

    def _flags(self, number: int) -> int:
        slot = self.state.slots[number]
        return (
            (_ENABLED if self._devices[number] is not None else 0)
            | (_INSERTING if slot.inserting else 0)
            | (_REMOVING if slot.removing else 0)
        )

    def _write(self, offset: int, value: int, _size: int) -> None:
        value &= _DWORD
        if offset == _SELECT:
            self.state.selected = value
        if self.state.selected >= len(self.state.slots):
            return
        slot = self.state.slots[self.state.selected]
        if offset == _OST_EVENT:
            slot.ost_event = value
        elif offset == _OST_STATUS:
            slot.ost_status = value
            self.on_ost(self._report(self.state.selected))
        elif offset == _COMMAND:
            self._command(slot, value)

    def _command(self, slot: MemorySlotState, value: int) -> None:
        """Obey the lowest of the three commands that are given."""
        if value & _INSERTING:
            slot.inserting = False
        elif value & _REMOVING:
            slot.removing = False
        elif value & _EJECT and self._devices[self.state.selected] is not None:
            self.on_eject(self.state.selected)

    # -- the machine's side ----------------------------------------------------------------------

    def plug(self, slot: int, device: PluggedMemory, *, hotplugged: bool) -> None:
        """Show a device in a slot; tell the guest of one that came while it ran.

        Raises:
            StateError: the slot is taken, or there is none of that number.
        """
        entry, present = self._at(slot), self._devices[slot]
        if present is not None:
            raise StateError(f"memory slot {slot} already has device '{present.id}'")
        self._devices[slot] = device
        if hotplugged:
            entry.inserting = True
            self._raise_gpe()

    def unplug_request(self, slot: int) -> None:
        """Ask the guest to let the device in a slot go; asking again asks again.

        Raises:
            StateError: there is no device.
        """
        self._occupied(slot).removing = True
        self._raise_gpe()

    def unplug(self, slot: int) -> None:
        """Empty a slot. What the guest was told and what it said of it stays.

        Raises:
            StateError: there is no device.
        """
        self._occupied(slot)
        self._devices[slot] = None

    def statuses(self) -> tuple[OstReport, ...]:
        """Return what the guest last said of each slot, in order."""
        return tuple(self._report(number) for number in range(len(self.state.slots)))

    def device(self, slot: int) -> PluggedMemory | None:
        """Return what is in a slot.

        Raises:
            StateError: there is no slot of that number.
        """
        self._at(slot)
        return self._devices[slot]

    def _report(self, number: int) -> OstReport:
        slot = self.state.slots[number]
        device = self._devices[number]
        device_id = device.id if device is not None else None
        return OstReport(number, device_id, slot.ost_event, slot.ost_status)

    def _at(self, slot: int) -> MemorySlotState:
        if not 0 <= slot < len(self.state.slots):
            raise StateError(f"there is no memory slot {slot} of {len(self.state.slots)}")
        return self.state.slots[slot]

    def _occupied(self, slot: int) -> MemorySlotState:
        entry = self._at(slot)
        if self._devices[slot] is None:
            raise StateError(f"memory slot {slot} is empty")
        return entry
