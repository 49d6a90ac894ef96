"""A definition as memory hot-plug sees it: what QEMU, and the guest, will say to a device.

So a device that goes into the stored definition only is held to all that a running machine would be
asked. Places: hw/i386/pc.c (where RAM ends below 4 GiB, the device memory above all RAM).
"""

from __future__ import annotations

import re
from bisect import insort
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING

from guestmap.base import GIB, KIB, MIB, AddrRange
from guestmap.domain.blockers import plug_blockers
from guestmap.domain.cautions import plug_cautions
from guestmap.domain.machine_types import DIMM as DIMM_KIND
from guestmap.domain.machine_types import VIRTIO_MEM as VIRTIO_MEM_KIND
from guestmap.domain.machine_types import guest_block
from guestmap.domain.placing import align_up, first_fit, pick_address, qemus_choice
from guestmap.domain.plugged import MemoryDevice
from guestmap.domain.process.backend_props import alignment
from guestmap.domain.request import PlugRequest
from guestmap.domain.rules.device_rules import nodes_of
from guestmap.domain.rules.errors import DomainError, Speaker
from guestmap.domain.rules.texts import CONFIG_UNSUPPORTED
from guestmap.domain.situation import ALIGNMENT, Situation
from guestmap.domain.xml.memory import SLOTTED, DimmAddress

if TYPE_CHECKING:
    from guestmap.domain.finding import PlanFinding
    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.memory import MemoryDef

LIVE_UNIT = MIB
"""What libvirt rounds the size of a device up to that is added to a running machine."""
_GIVE_ADDRESS = re.compile(r"give --addr (0x[0-9a-f]+)")
_IN_DOCUMENTS = {
    "give no --addr": "leave base out",
    "give no --slot": "leave slot out",
    "another --id": "another alias",
}
_Q35 = re.compile(r"(?:pc-)?q35.*")
_PC = re.compile(r"(?:pc|pc-i440fx.*|q35|pc-q35.*)?")
_BY_RULES = {"slot-range", "slot-busy", "slots-full", "no-slots", "over-maxmem", "node",
             "no-device-memory", "no-port", "id-taken", "backend-taken", "host-memory"}  # fmt: skip
"""What libvirt's own rules, or what the host has just now, say; not to be said twice."""


def rounded(device: MemoryDef) -> int:
    """Return a device's bytes as they are plugged into a running machine."""
    return align_up(device.size * KIB, LIVE_UNIT)


def situation_of(found: Definition, *, unit: int = ALIGNMENT, source: str = "") -> Situation:
    """Return what a machine of this definition is like, as far as it can be told.

    Devices without an address are where QEMU would put them, one after the other.

    Args:
        found: the definition.
        unit: bytes of which the size and the address of what is plugged are multiples.
        source: what to call the machine.
    """
    ram = found.initial * KIB
    end = _end_of_ram(found.machine, ram)
    block, block_by = guest_block("x86_64", end)
    window = _window(found, end)
    devices: list[MemoryDevice] = []
    for number, each in enumerate(found.devices):
        # The label of an nvdimm is no part of what the guest sees.
        size, place = rounded(each) - (each.label or 0) * KIB, each.place
        if place is None and window is not None:
            own = alignment(found, each)
            size = align_up(size, own)
            place = first_fit(window, devices, size, own)
        if place is None:
            continue
        name = each.alias or f"{each.model}{number}"
        kind = each.model if each.model in SLOTTED else VIRTIO_MEM_KIND
        there = MemoryDevice(
            name, kind, place, size, each.slot, each.node, f"mem{name}", present=None
        )
        insort(devices, there, key=attrgetter("addr"))
    return Situation(
        source=source,
        machine=found.machine,
        acpi=found.acpi,
        ram=ram,
        end_of_ram=end,
        max_ram=(found.max_memory or 0) * KIB,
        slots=found.slots,
        window=window,
        alignment=unit,
        block=block,
        block_by=block_by,
        nodes=nodes_of(found),
        devices=tuple(devices),
        kvm=found.kind == "kvm",
    )


def request_of(device: MemoryDef) -> PlugRequest:
    """Return a device as something to plug."""
    is_slotted = device.model in SLOTTED
    return PlugRequest(
        size=rounded(device),
        node=device.node or 0,
        slot=device.slot,
        addr=device.place,
        kind=DIMM_KIND if is_slotted else VIRTIO_MEM_KIND,
        requested=None if is_slotted else (device.requested or 0) * KIB,
        bus=None if is_slotted else "pci.0",
    )


class Room:
    """A definition, and a device that is to go into it.

    Attributes:
        definition: of what gets it.
        device: as it was given.
    """

    def __init__(self, found: Definition, device: MemoryDef) -> None:
        self.definition = found
        self.device = device

    @cached_property
    def _situation(self) -> Situation:
        return situation_of(self.definition, unit=alignment(self.definition, self.device))

    @cached_property
    def _request(self) -> PlugRequest:
        return request_of(self.device)

    @cached_property
    def _found(self) -> tuple[PlanFinding, ...]:
        return plug_blockers(self._situation, self._request)

    def blockers(self) -> tuple[PlanFinding, ...]:
        """Return what QEMU would say to the device, where libvirt lets it pass."""
        return tuple(each for each in self._found if each.code not in _BY_RULES)

    def misfits(self) -> tuple[PlanFinding, ...]:
        """Return why the guest would get nothing of the device, where QEMU takes it."""
        if self.device.model not in SLOTTED:
            return ()
        cautions = plug_cautions(self._situation, self._request, self.base)
        found = tuple(each for each in cautions if each.useless)
        return () if found and self._found else found

    def better_base(self, live: MemoryDef) -> int | None:
        """Return the address to tell QEMU where its own choice is none that the guest can use.

        Args:
            live: the device with its slot.
        """
        if live.place is not None or not isinstance(live.address, DimmAddress):
            return None
        own = qemus_choice(self._situation, self._request)
        return None if self.base == own else self.base

    @cached_property
    def base(self) -> int | None:
        """The address that the device gets, as far as it can be told."""
        return pick_address(self._situation, self._request)


def told(finding: PlanFinding) -> DomainError:
    """Return a finding of our own as a refusal."""
    return DomainError(
        CONFIG_UNSUPPORTED, finding.text, domain=10, speaker=Speaker.OURS, remedy=remedy_of(finding)
    )


def remedy_of(finding: PlanFinding) -> str:
    """Return what to do about a finding, in a document's words instead of a command line's."""
    remedy = _GIVE_ADDRESS.sub(r"write base='\1'", finding.remedy)
    for option, words in _IN_DOCUMENTS.items():
        remedy = remedy.replace(option, words)
    return remedy


def _end_of_ram(machine: str, ram: int) -> int:
    low = (
        (2 * GIB if ram >= 0xB000_0000 else 0xB000_0000)
        if _Q35.fullmatch(machine)
        else (3 * GIB if ram >= 0xE000_0000 else 0xE000_0000)
    )
    return ram if ram <= low else 4 * GIB + ram - low


def _window(found: Definition, end_of_ram: int) -> AddrRange | None:
    if found.max_memory is None or not _PC.fullmatch(found.machine):
        return None
    room = max(0, found.max_memory - found.initial) * KIB + found.slots * GIB
    start = align_up(max(end_of_ram, 4 * GIB), GIB)
    return AddrRange(start, room) if room else None
