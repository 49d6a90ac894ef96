"""QEMU's memory hot-plug registers for ACPI, 24 bytes at port A00h.

QEMU docs/specs/acpi_mem_hotplug. The first register selects a slot, the others are that slot's.
An access is one register's: a byte read at a register's first port is its low byte, and the ports
in between read all ones and take nothing. Nothing here is changed by a reset, as in QEMU: what the
guest was told and has not taken note of waits for the next guest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from guestmap.base import ConfigError, StateError
from guestmap.hw.device import U32
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.memory import MemoryRegion, MemorySystem

PORT, PORT_BYTES = 0xA00, 0x18
GPE_BIT = 1 << 3

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
class _Slot:
    """One slot. What the guest said outlives the device it was said of."""

    device: PluggedMemory | None = None
    inserting: bool = False
    removing: bool = False
    ost_event: int = 0
    ost_status: int = 0

    @property
    def flags(self) -> int:
        return (
            (_ENABLED if self.device is not None else 0)
            | (_INSERTING if self.inserting else 0)
            | (_REMOVING if self.removing else 0)
        )


@dataclass(slots=True)
class SlotState:
    """What the guest was told of a slot, and what it said."""

    inserting: bool = False
    removing: bool = False
    ost_event: U32 = 0
    ost_status: U32 = 0


@dataclass(slots=True)
class MemoryHotplugState:
    """The slot that is selected, and all slots."""

    selected: U32 = 0
    slots: list[SlotState] = field(default_factory=list)


class AcpiMemoryHotplug:
    """The slots that memory devices are plugged into, as the guest sees them.

    Args:
        memory: the machine's memory system.
        io: the region that the registers are put in.
        slots: how many there are, 1 to 256.
        raise_gpe: sets bit 3 of the first GPE0 status byte: some slot has news.

    Attributes:
        region: ``acpi-mem-hotplug``, 24 bytes.
        on_ost: called when the guest says how an event went.
        on_eject: called with the slot whose device the guest has let go. It takes the device out of
            the machine, :meth:`unplug` included; False says that this was not possible.
    """

    def __init__(
        self,
        memory: MemorySystem,
        io: MemoryRegion,
        slots: int,
        *,
        raise_gpe: Callable[[], None],
        owner: object = None,
    ) -> None:
        self._slots = [_Slot() for _ in range(slots)]
        self._selected = 0
        self._raise_gpe = raise_gpe
        self.on_ost: Callable[[OstReport], None] = lambda _report: None
        self.on_eject: Callable[[int], bool] = lambda _slot: False
        ops = MemoryRegionOps(
            read=self._read,
            write=self._write,
            endianness=Endianness.LITTLE,
            valid=AccessSizes(1, 4),
        )
        self.region = memory.io("acpi-mem-hotplug", PORT_BYTES, ops, owner=owner)
        io.add_subregion(PORT, self.region)

    # -- the guest's side ------------------------------------------------------------------------

    def _read(self, offset: int, _size: int) -> int:
        if self._selected >= len(self._slots):
            return 0
        slot = self._slots[self._selected]
        if slot.device is not None:
            addr, size, node = slot.device[1:]
        else:
            addr = size = node = 0
        registers = {
            0x00: addr,
            0x04: addr >> 32,
            0x08: size,
            0x0C: size >> 32,
            0x10: node,
            _COMMAND: slot.flags,
        }
        return registers.get(offset, _DWORD) & _DWORD

    def _write(self, offset: int, value: int, _size: int) -> None:
        value &= _DWORD
        if offset == _SELECT:
            self._selected = value
        if self._selected >= len(self._slots):
            return
        slot = self._slots[self._selected]
        if offset == _OST_EVENT:
            slot.ost_event = value
        elif offset == _OST_STATUS:
            slot.ost_status = value
            self.on_ost(self._report(self._selected))
        elif offset == _COMMAND:
            self._command(slot, value)

    def _command(self, slot: _Slot, value: int) -> None:
        """Obey the lowest of the three commands that are given."""
        if value & _INSERTING:
            slot.inserting = False
        elif value & _REMOVING:
            slot.removing = False
        elif value & _EJECT and slot.device is not None:
            self.on_eject(self._selected)

    # -- saving ------------------------------------------------------------------------------------

    def save(self) -> MemoryHotplugState:
        """Return a copy of the state; what is in the slots is the machine's."""
        return MemoryHotplugState(
            self._selected,
            [SlotState(x.inserting, x.removing, x.ost_event, x.ost_status) for x in self._slots],
        )

    def load(self, state: MemoryHotplugState) -> None:
        """Go on from a state that was saved, with the same in the slots.

        Raises:
            ConfigError: there were not as many slots.
        """
        if len(state.slots) != len(self._slots):
            raise ConfigError(f"{len(state.slots)} memory slots were saved, not {len(self._slots)}")
        self._selected = state.selected
        for slot, saved in zip(self._slots, state.slots, strict=True):
            slot.inserting, slot.removing = saved.inserting, saved.removing
            slot.ost_event, slot.ost_status = saved.ost_event, saved.ost_status

    # -- the machine's side ----------------------------------------------------------------------

    def plug(self, slot: int, device: PluggedMemory, *, hotplugged: bool) -> None:
        """Show a device in a slot; tell the guest of one that came while it ran.

        Raises:
            StateError: the slot is taken, or there is none of that number.
        """
        entry = self._at(slot)
        if entry.device is not None:
            raise StateError(f"memory slot {slot} already has device '{entry.device.id}'")
        entry.device = device
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
        self._occupied(slot).device = None

    def statuses(self) -> tuple[OstReport, ...]:
        """Return what the guest last said of each slot, in order."""
        return tuple(self._report(number) for number in range(len(self._slots)))

    def device(self, slot: int) -> PluggedMemory | None:
        """Return what is in a slot.

        Raises:
            StateError: there is no slot of that number.
        """
        return self._at(slot).device

    def _report(self, number: int) -> OstReport:
        slot = self._slots[number]
        device_id = slot.device.id if slot.device is not None else None
        return OstReport(number, device_id, slot.ost_event, slot.ost_status)

    def _at(self, slot: int) -> _Slot:
        if not 0 <= slot < len(self._slots):
            raise StateError(f"there is no memory slot {slot} of {len(self._slots)}")
        return self._slots[slot]

    def _occupied(self, slot: int) -> _Slot:
        entry = self._at(slot)
        if entry.device is None:
            raise StateError(f"memory slot {slot} is empty")
        return entry
