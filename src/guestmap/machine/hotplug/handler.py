"""Memory comes and goes while the machine runs: who is asked, in which order, and the way back.

Attach: slot and address are chosen, the DIMM takes its back-end, the map changes in one commit, the
guest's registers change and the guest is interrupted. Detach: the guest is asked; when it ejects
the DIMM, the same goes backwards. Order and refusals are QEMU 7.2's (hw/i386/pc.c). Whatever fails,
everything before it is taken back.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, GuestmapError
from guestmap.base.named_tuple import NamedTuple
from guestmap.hw.acpi.memory_hotplug import PluggedMemory
from guestmap.machine.hotplug.pc_dimm import PcDimm, free_slot
from guestmap.qom import Device

if TYPE_CHECKING:
    from guestmap.hw.acpi.memory_hotplug import AcpiMemoryHotplug, OstReport
    from guestmap.machine.events import MachineEvents
    from guestmap.machine.hotplug.device_memory import DeviceMemory

_NO_ACPI = "memory hotplug is not enabled: missing acpi device or acpi disabled"
_NO_SUPPORT = "memory hotplug is not enabled: PIIX4_PM.memory-hotplug-support is not set"
_NO_DEVICE_MEMORY = (
    "the configuration is not prepared for memory devices (e.g., for memory hotplug), consider"
    " specifying the maxmem option"
)


class _Wish(NamedTuple):
    """What a DIMM's properties said before slot and address were chosen."""

    slot: int
    addr: int


class MemoryHotplug:
    """Plugs DIMMs into one machine; its devices' hot-plug handler.

    Args:
        slots: how many DIMMs there may be.
        memory: where they go; None on a machine that is not prepared for any.
        controller: the guest's registers; None without slots or without ACPI.
        acpi: whether the machine has ACPI.
        supported: whether its power management lets memory be plugged in.
        events: what the machine tells.
        remove: takes an ejected DIMM out of the object tree.
    """

    def __init__(
        self,
        *,
        slots: int,
        memory: DeviceMemory | None,
        controller: AcpiMemoryHotplug | None,
        acpi: bool,
        supported: bool,
        events: MachineEvents,
        remove: Callable[[Device], None],
    ) -> None:
        self._slots = slots
        self._memory = memory
        self._controller = controller
        self._refusal = _NO_ACPI if not acpi else "" if supported else _NO_SUPPORT
        self._events = events
        self._remove = remove
        self._dimms: dict[int, PcDimm] = {}
        self._wishes: dict[PcDimm, _Wish] = {}
        if controller is not None:
            controller.on_ost = self._reported
            controller.on_eject = self._eject

    @property
    def dimms(self) -> tuple[PcDimm, ...]:
        """The DIMMs, by address."""
        return tuple(sorted(self._dimms.values(), key=lambda dimm: dimm.addr))

    # -- attach ----------------------------------------------------------------------------------

    def pre_plug(self, device: Device) -> None:
        """Choose slot and address.

        Raises:
            ConfigError: there is none, or not the one asked for; QEMU's texts.
        """
        dimm = _dimm(device)
        if self._refusal:
            raise ConfigError(self._refusal)
        slot = free_slot(self._dimms, dimm.slot, self._slots)
        if self._memory is None:
            raise ConfigError(_NO_DEVICE_MEMORY)
        backend, region = dimm.memory
        addr = self._memory.choose(dimm.addr, backend.alignment, region.size)
        self._wishes[dimm] = _Wish(dimm.slot, dimm.addr)
        dimm.slot, dimm.addr = slot, addr

    def undo_pre_plug(self, device: Device) -> None:
        """Forget the slot and the address."""
        dimm = _dimm(device)
        dimm.slot, dimm.addr = self._wishes.pop(dimm)

    def plug(self, device: Device) -> None:
        """Put the DIMM into the map, and tell the guest.

        Raises:
            Exception: a listener refused; the map is as it was.
        """
        dimm = _dimm(device)
        memory, controller = self._prepared()
        backend, region = dimm.memory
        before = region.addr
        memory.add(dimm.addr, region, dimm.id or "")
        try:
            backend.mark_used()
            shown = PluggedMemory(dimm.id, dimm.addr, backend.size, dimm.node)
            # The last, for there is no way back: the guest may have seen it.
            controller.plug(dimm.slot, shown, hotplugged=dimm.hotplugged)
        except BaseException:
            with ExitStack() as last_first:  # each step is taken, whatever the others raise
                last_first.callback(region.set_address, before)
                last_first.callback(memory.remove, region)
                last_first.callback(backend.mark_unused)
            raise
        dimm.plugged = True
        self._dimms[dimm.slot] = dimm
        del self._wishes[dimm]

    def _prepared(self) -> tuple[DeviceMemory, AcpiMemoryHotplug]:
        assert self._memory is not None, "pre_plug refuses without"
        assert self._controller is not None, "there are slots, and ACPI"
        return self._memory, self._controller

    # -- detach ----------------------------------------------------------------------------------

    def unplug_request(self, device: Device) -> None:
        """Ask the guest to let the DIMM go."""
        _memory, controller = self._prepared()
        controller.unplug_request(_dimm(device).slot)

    def unplug(self, device: Device) -> None:
        """Take the DIMM out of the map and of the guest's registers.

        Raises:
            Exception: a listener refused; the map is as it was.
        """
        dimm = _dimm(device)
        memory, controller = self._prepared()
        region = dimm.region
        with ExitStack() as undo:
            memory.remove(region)
            undo.callback(memory.add, dimm.addr, region, dimm.id or "")
            controller.unplug(dimm.slot)
            undo.pop_all()
        dimm.plugged = False
        del self._dimms[dimm.slot]

    def _eject(self, slot: int) -> bool:
        """Do what the guest says; it cannot make this raise. False where the DIMM stays."""
        dimm = self._dimms.get(slot)
        if dimm is None:
            return False
        try:
            self.unplug(dimm)
        except GuestmapError as error:
            who = {"device": dimm.id} if dimm.id else {}
            self._events.emit("MEM_UNPLUG_ERROR", {"device": dimm.id or "", "msg": str(error)})
            self._events.emit("DEVICE_UNPLUG_GUEST_ERROR", who | {"path": dimm.path})
            return False
        self._remove(dimm)
        return True

    # -- what the guest says of it ---------------------------------------------------------------

    def _reported(self, report: OstReport) -> None:
        self._events.emit("ACPI_DEVICE_OST", {"info": ost_info(report)})

    def statuses(self) -> tuple[OstReport, ...]:
        """Return what the guest last said of each slot."""
        return self._controller.statuses() if self._controller is not None else ()


def ost_info(report: OstReport) -> dict[str, str | int]:
    """Return a report as QMP's ``ACPIOSTInfo``."""
    info: dict[str, str | int] = {"device": report.device_id} if report.device_id else {}
    return info | {
        "source": report.source,
        "status": report.status,
        "slot": str(report.slot),
        "slot-type": "DIMM",
    }


def _dimm(device: Device) -> PcDimm:
    assert isinstance(device, PcDimm), "only DIMMs have this handler"
    return device
