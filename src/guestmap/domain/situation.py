"""A machine as memory hot-plug sees it, at one moment: values only, no wire.

Everything that planning, verifying and showing need is in a :class:`Situation`; who reads it from a
machine is :mod:`guestmap.domain.survey`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import filterfalse

from guestmap.base import MIB, AddrRange
from guestmap.domain.host import HostMeminfo
from guestmap.domain.journal import Entry
from guestmap.domain.machine_types import SECTION, MachineRule, rule_of
from guestmap.domain.plugged import SLOT_KINDS, MemoryDevice, SlotStatus
from guestmap.inspect import Snapshot
from guestmap.inspect.map.report import Report

ALIGNMENT = 2 * MIB
"""QEMU's alignment of a memory backend's size and of a DIMM's address on x86: so much it asks the
host for at once, to be served with huge pages."""

_OWN_BACKEND = re.compile(r"mem(?:dimm|virtiomem)\d+")


@dataclass(frozen=True, slots=True)
class Situation(Report):
    """Everything about a machine that memory hot-plug depends on.

    Attributes:
        source: which machine, in the command line's words. run: what tells it from another one that
            was or will be at the same place; "" where nothing does.
        version: QEMU's, or ``guestmap`` and ours. machine: its type, "" where it does not tell.
        arch: the guest's architecture, as ``query-target`` names it.
        status: the run state in QMP's words.
        migration: the state of a migration in QMP's words, "" where there is none.
        acpi: whether ACPI hot-plug is there; None where it is not known.
        acpi_switch: the machine's property ``acpi``: on, off, auto; "" where it has none.
        gpe_enabled: whether the guest wants to hear of memory (GPE 3 enabled); None: not known.
        kvm: whether KVM runs the guest.
        vhost: devices that vhost carries for certain, by their type. Of a virtio-net whose back-end
            is vhost no stable command tells, so those are not among them.
        vhost_limit: memory regions that the host's vhost takes; None where it is not known.
        sections: memory ranges that the guest sees: each is a KVM memory slot.
        ram: bytes of RAM from the start. end_of_ram: the address after it.
        max_ram: ``maxmem``, 0 where there is none.
        slots: ACPI slots for DIMMs. window: the device memory; None where there is none.
        alignment: that sizes and addresses must have.
        block: bytes that the guest adds and switches on at once. block_by: who says so.
        nodes: NUMA nodes (0: none were made); None where it is not known.
        devices: what is plugged, by address. slot_statuses: by slot.
        device_names, object_names: names taken in /machine/peripheral and /objects.
        backends: size by id of memory backends.
        host: None where the machine may run elsewhere.
        carries_events: QEMU's events can be heard. is_libvirts: libvirt manages the machine.
        begun: changes of it that our journal has as begun.
    """

    source: str = ""
    run: str = ""
    version: str = ""
    machine: str = ""
    arch: str = "x86_64"
    status: str = "running"
    running: bool = True
    migration: str = ""
    acpi: bool | None = True
    acpi_switch: str = ""
    gpe_enabled: bool | None = None
    kvm: bool = False
    vhost: tuple[str, ...] = ()
    vhost_limit: int | None = None
    sections: int = 0
    ram: int = 0
    end_of_ram: int = 0
    max_ram: int = 0
    slots: int = 0
    window: AddrRange | None = None
    alignment: int = ALIGNMENT
    block: int = SECTION
    block_by: str = "Linux on x86"
    nodes: int | None = 1
    devices: tuple[MemoryDevice, ...] = ()
    slot_statuses: tuple[SlotStatus, ...] = ()
    device_names: frozenset[str] = frozenset()
    object_names: frozenset[str] = frozenset()
    backends: dict[str, int] = field(default_factory=dict)
    host: HostMeminfo | None = None
    carries_events: bool = True
    is_libvirts: bool = False
    begun: tuple[Entry, ...] = ()

    @property
    def rule(self) -> MachineRule:
        """What is so of its machine type."""
        return rule_of(self.arch, self.machine, has_acpi=bool(self.acpi))

    @property
    def machine_title(self) -> str:
        """What to call the machine in a sentence: its type, and its architecture."""
        return f"this machine ({self.machine or 'of unknown type'}, {self.arch})"

    @property
    def capacity(self) -> int:
        """Bytes of memory devices that may be plugged in all."""
        return max(0, self.max_ram - self.ram)

    @property
    def used(self) -> int:
        """Bytes of them that are taken: a virtio-mem device takes all that it may ever hold."""
        return sum(each.size for each in self.devices)

    @property
    def plugged(self) -> int:
        """Bytes of RAM that they add."""
        return sum(each.plugged for each in self.devices)

    @property
    def bytes_left(self) -> int:
        """Bytes that may still be plugged."""
        return max(0, self.capacity - self.used)

    @property
    def in_slots(self) -> dict[int, MemoryDevice]:
        """The devices that hold a slot, by slot."""
        return {d.slot: d for d in self.devices if d.slot is not None and d.kind in SLOT_KINDS}

    @property
    def has_free_slot(self) -> bool:
        """Whether a slot is free."""
        busy = self.in_slots
        return any(slot not in busy for slot in range(self.slots))

    @property
    def free_slots(self) -> tuple[int, ...]:
        """The numbers of the free slots, lowest first."""
        busy = self.in_slots
        return tuple(filterfalse(busy.__contains__, range(self.slots)))

    @property
    def orphans(self) -> tuple[str, ...]:
        """Backends that no device uses, and that are ours by our journal, or by their name."""
        busy = {each.backend for each in self.devices}
        return tuple(
            name
            for name in sorted(self.backends)
            if name not in busy and self.is_ours(name) and self.at_work(name) is None
        )

    def is_ours(self, backend: str) -> bool:
        """Tell whether a backend is ours by our journal, or named as :func:`backend_id` would."""
        return is_dimm_backend(backend) or any(backend in each.objects for each in self.begun)

    def at_work(self, backend: str) -> Entry | None:
        """Return the change that somebody is making with a backend now; None: nobody is."""
        return next((e for e in self.begun if backend in e.objects and e.is_at_work), None)

    def device(self, name: str) -> MemoryDevice | None:
        """Return the memory device of that id, or at that path of the object tree."""
        device_id = name.removeprefix("/machine/peripheral/")
        found = (d for d in self.devices if d.id == device_id or (d.path and d.path == name))
        return next(found, None)

    def slot_status(self, slot: int) -> SlotStatus:
        """Return what the guest last said about a slot."""
        return next((each for each in self.slot_statuses if each.slot == slot), SlotStatus(slot))


@dataclass(frozen=True, slots=True)
class Scene:
    """A situation with the memory map that belongs to it."""

    situation: Situation
    map: Snapshot


def backend_id(device_id: str) -> str:
    """Return the id of a DIMM's backend: ``mem`` before the DIMM's own, as libvirt names them."""
    return f"mem{device_id}"


def is_dimm_backend(name: str) -> bool:
    """Tell whether a backend is named as :func:`backend_id` names those of ids that are made up."""
    return _OWN_BACKEND.fullmatch(name) is not None
